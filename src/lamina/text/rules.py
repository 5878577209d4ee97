r"""What is done to a text before it is cut into tokens, and to the tokens afterwards.

A rule is a function from a text to a text. What would be lost by making all letters small, or would
fill a vocabulary with rare forms, becomes a token of its own: `xxmaj` before a word that began with
a capital, `xxup` before one in capitals, `xxrep 4 !` for `!!!!`, `xxwrep 3 so` for `so so so`.

Source: Howard & Gugger, "fastai: A Layered API for Deep Learning", 2020, "Text".
"""

import html
import re
from collections.abc import Callable, Iterable
from operator import eq
from typing import TypeAlias

from lamina.foundation.registry import savable

__all__ = [
    "BOS",
    "EOS",
    "FLD",
    "PAD",
    "SPECIAL_TOKENS",
    "TK_MAJ",
    "TK_REP",
    "TK_UP",
    "TK_WREP",
    "UNK",
    "Rule",
    "apply_rules",
    "default_rules",
    "fix_html",
    "lowercase",
    "mark_start",
    "post_rules",
    "replace_all_caps",
    "replace_maj",
    "replace_rep",
    "replace_space",
    "replace_wrep",
    "rm_useless_spaces",
    "spec_add_spaces",
]

Rule: TypeAlias = Callable[[str], str]

UNK, PAD, BOS, EOS, FLD = "xxunk", "xxpad", "xxbos", "xxeos", "xxfld"
TK_REP, TK_WREP, TK_UP, TK_MAJ = "xxrep", "xxwrep", "xxup", "xxmaj"

SPECIAL_TOKENS = (UNK, PAD, BOS, EOS, FLD, TK_REP, TK_WREP, TK_UP, TK_MAJ)
"""The special tokens in the order in which they begin a vocabulary."""

# Entities (also those that lost their "&"), escapes, and the marks of WikiText, in this order.
_DAMAGE = (
    ("#39;", "'"),
    ("amp;", "&"),
    ("#146;", "'"),
    ("nbsp;", " "),
    ("#36;", "$"),
    ("\\n", "\n"),
    ("quot;", "'"),
    ("<br />", "\n"),
    ('\\"', '"'),
    ("<unk>", UNK),
    (" @.@ ", "."),
    (" @-@ ", "-"),
    ("...", " …"),
)
_REPEATED = re.compile(r"(\S)(\1{2,})")
_REPEATED_WORDS = re.compile(r"(?:\s|^)(\w+)\s+((?:\1\s+)+)\1(\s|\W|$)")
_SPACES = re.compile(r" {2,}")
# Both find whole words between spaces: that one begins there is looked up behind its first letter.
# Nothing is given back (`*+`), so that a long word costs no more than its letters.
_CAPITALS = re.compile(r"[A-Z](?<!\S[A-Z])[^a-z\s]*+(?!\S)")
_CAPITALIZED = re.compile(r"[A-Z](?<!\S[A-Z])[^A-Z\s]*+(?!\S)")


@savable
def fix_html(text: str) -> str:
    r"""Mend what HTML, and data sets that were made of it, leave in a text.

    Example:
        >>> fix_html("Some HTML&nbsp;text<br />I#39;ll be back... state @-@ of @-@ the @-@ art")
        "Some HTML text\nI'll be back … state-of-the-art"
    """
    for damage, mended in _DAMAGE:
        if damage in text:
            text = text.replace(f"&{damage}", mended) if damage[-1] == ";" else text
            text = text.replace(damage, mended)
    return html.unescape(text) if "&" in text else text


@savable
def replace_rep(text: str) -> str:
    """Write three and more of the same sign as `xxrep`, their number and the sign.

    Example:
        >>> replace_rep("so good!!!!")
        'so good xxrep 4 ! '
    """
    return _REPEATED.sub(_rep, text)


def _rep(match: re.Match[str]) -> str:
    sign, more = match.groups()
    return f" {TK_REP} {len(more) + 1} {sign} "


@savable
def replace_wrep(text: str) -> str:
    """Write three and more of the same word as `xxwrep`, their number and the word.

    Example:
        >>> replace_wrep("it was very very very good")
        'it was xxwrep 3 very  good'
    """
    words = text.split()
    if not any(map(eq, words, words[1:])):
        return text  # the expression is slow, and two in a row are rare enough
    return _REPEATED_WORDS.sub(_wrep, text)


def _wrep(match: re.Match[str]) -> str:
    word, more, end = match.groups()
    return f" {TK_WREP} {len(more.split()) + 2} {word} {end}"


@savable
def spec_add_spaces(text: str) -> str:
    r"""Put spaces around the signs that join words: `/`, `#` and the backslash.

    Example:
        >>> spec_add_spaces("#big /small")
        ' # big  / small'
    """
    for sign in "/#\\":
        if sign in text:
            text = text.replace(sign, f" {sign} ")
    return text


@savable
def rm_useless_spaces(text: str) -> str:
    """Make one space of several.

    Example:
        >>> rm_useless_spaces("a   b")
        'a b'
    """
    return _SPACES.sub(" ", text) if "  " in text else text


@savable
def replace_all_caps(text: str) -> str:
    """Write words in capitals small, after `xxup` if they have more than one letter.

    Example:
        >>> replace_all_caps("I AM SHOUTING Now")
        'i xxup am xxup shouting Now'
    """
    return _CAPITALS.sub(_up, text)


def _up(match: re.Match[str]) -> str:
    word = match.group()
    return f"{TK_UP} {word.lower()}" if len(word) > 1 else word.lower()


@savable
def replace_maj(text: str) -> str:
    """Write words that begin with a capital small, after `xxmaj` if they have more letters.

    Example:
        >>> replace_maj("Hello World A iPhone")
        'xxmaj hello xxmaj world a iPhone'
    """
    return _CAPITALIZED.sub(_maj, text)


def _maj(match: re.Match[str]) -> str:
    word = match.group()
    return f"{TK_MAJ} {word.lower()}" if len(word) > 1 else word.lower()


@savable
def lowercase(text: str, *, add_bos: bool = True, add_eos: bool = False) -> str:
    """Make all letters small and mark where a text begins.

    Args:
        text: The text.
        add_bos: Whether `xxbos` comes before it.
        add_eos: Whether `xxeos` comes behind it.

    Example:
        >>> lowercase(" Hello ")
        'xxbos hello'
    """
    start, end = (f"{BOS} " if add_bos else "", f" {EOS}" if add_eos else "")
    return f"{start}{text.lower().strip()}{end}"


@savable
def mark_start(text: str) -> str:
    """Mark where a text begins, and change nothing else.

    Example:
        >>> mark_start("Hello")
        'xxbos Hello'
    """
    return f"{BOS} {text}"


@savable
def replace_space(token: str) -> str:
    """Write spaces inside a token as a sign of their own, so that tokens can be joined by spaces.

    Example:
        >>> replace_space("New York")
        'New▁York'
    """
    return token.replace(" ", "▁")


default_rules: tuple[Rule, ...] = (
    fix_html,
    replace_rep,
    replace_wrep,
    spec_add_spaces,
    rm_useless_spaces,
    replace_all_caps,
    replace_maj,
    lowercase,
)
"""The rules that a text goes through unless others are given."""

post_rules: tuple[Rule, ...] = (replace_space,)
"""The rules that each token goes through."""


def apply_rules(text: str, rules: Iterable[Rule] = default_rules) -> str:
    """Put a text through rules, one after another.

    Args:
        text: The text.
        rules: The rules.

    Example:
        >>> apply_rules("What a GREAT film!!!")
        'xxbos xxmaj what a xxup great film xxrep 3 !'
    """
    for rule in rules:
        text = rule(text)
    return text
