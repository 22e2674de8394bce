"""Ways to place the skeleton beside landmarks put down by a reader; all end in a Placement."""

from lesionmap.place.correct import correct
from lesionmap.place.images import by_counts_words, image_of, images_of, place_auto, place_from
from lesionmap.place.labels import landmarks_of, place_file, place_labels, stored_labels
from lesionmap.place.names import NUMBERINGS, check_labels, read_names
from lesionmap.place.previous import place_previous
from lesionmap.place.silhouette import place_silhouette
from lesionmap.place.views import place_views

__all__ = [
    "NUMBERINGS",
    "by_counts_words",
    "check_labels",
    "correct",
    "image_of",
    "images_of",
    "landmarks_of",
    "place_auto",
    "place_file",
    "place_from",
    "place_labels",
    "place_previous",
    "place_silhouette",
    "place_views",
    "read_names",
    "stored_labels",
]
