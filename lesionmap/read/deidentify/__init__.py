"""De-identified copies of images: the header cleaned by the Basic Profile of DICOM PS3.15, the pixels untouched.

Nothing is looked for in the pixels: text burned into them is warned about where the header gives reason, never found;
a head in 3-D can be recognised.
"""

from lesionmap.read.deidentify.copies import Copies, check_apart, copying
from lesionmap.read.deidentify.disguise import Disguise

__all__ = ["Copies", "Disguise", "check_apart", "copying"]
