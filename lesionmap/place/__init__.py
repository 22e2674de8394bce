"""Ways to place the skeleton beside landmarks put down by a reader; all end in a Placement."""

from lesionmap.place.labels import landmarks_of, place_file, place_labels
from lesionmap.place.names import NUMBERINGS, check_labels, read_names

__all__ = ["NUMBERINGS", "check_labels", "landmarks_of", "place_file", "place_labels", "read_names"]
