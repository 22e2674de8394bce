"""The widgets of the dock: they show what the session says and pass on what the reader does; no arithmetic."""

__all__: list[str] = []
