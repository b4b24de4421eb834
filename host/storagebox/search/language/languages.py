"""The languages the API names, by their codes; `words` knows stop words and plurals of some."""

from __future__ import annotations

LANGUAGES = frozenset({
    "af", "ar", "az", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es", "et",
    "eu", "fa", "fi", "fo", "fr", "ga", "gl", "he", "hi", "hu", "hy", "id", "is", "it", "ja",
    "ka", "kk", "ko", "ku", "ky", "lt", "lv", "mi", "mn", "mr", "ms", "mt", "nb", "nl", "no",
    "ns", "pl", "ps", "pt", "pt-br", "qu", "ro", "ru", "sk", "sq", "sv", "sw", "ta", "te",
    "th", "tl", "tn", "tr", "tt", "uk", "ur", "uz", "zh",
})  # fmt: skip
