"""The words of the report in one catalogue: ``en.toml``, and a file of the same form for each further language.

What lies below the report says what it has to say as ``Said``, a key of the catalogue with its values: whoever writes
it down chooses the language.
"""

from lesionmap.texts.catalogue import Said, Texts, english, texts_named

__all__ = ["Said", "Texts", "english", "texts_named"]
