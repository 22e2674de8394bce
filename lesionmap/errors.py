"""The one error of lesionmap: the data or the request is wrong, said in one line for the reader."""

__all__ = ["LesionmapError"]


class LesionmapError(ValueError):
    """What was expected, what came, what to do: one line, fit to be shown to the user.

    Raised by every module of the core for bad data and bad requests; the command line prints it and
    leaves with exit code 1, the plugin shows it. It never holds personal data.

    Examples
    --------
    >>> str(LesionmapError("site 'tibia.knee.left' is not known: tibia has distal_metaphysis, …"))
    "site 'tibia.knee.left' is not known: tibia has distal_metaphysis, …"
    """
