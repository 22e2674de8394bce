"""The napari plugin of lesionmap: one dock with the order of the work, over the headless core."""

__all__: list[str] = []
