"""The napari plugin of lesionmap."""
