"""What a tokenizer is, and how rules and a tokenizer work together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.foundation.signatures import strict
from lamina.text.rules import Rule, apply_rules, default_rules, post_rules

__all__ = [
    "BaseTokenizer",
    "TextTokenizer",
    "TokenizeWithRules",
    "join_tokens",
    "rules_for",
    "tokenize1",
]

_MOST_KEPT = 500_000  # tokens whose result is remembered

Cut: TypeAlias = Callable[[Iterable[str]], Iterator[list[str]]]


class TextTokenizer(Protocol):
    """Cuts texts into tokens.

    A function of this form will do. Of an object, these are used if they are there:
    `join(tokens)`, the inverse; `rules`, those to use when none are given; `is_trained` and
    `train(texts)`, for what has to see texts first; `needs`, the library whose version decides on
    the tokens, too. To be exported with a learner it must be
    savable (`lamina.foundation.registry.savable`).
    """

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text, in the same order.

        Args:
            texts: The texts.
        """
        ...


@savable
@strict
@dataclass
class BaseTokenizer:
    """Cuts texts where a sign stands.

    Args:
        split_char: The sign.

    Example:
        >>> list(BaseTokenizer()(["a fine film"]))
        [['a', 'fine', 'film']]
    """

    split_char: str = " "

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text.

        Args:
            texts: The texts.
        """
        return (text.split(self.split_char) for text in texts)

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens."""
        return self.split_char.join(tokens)


@savable
@strict
@dataclass
class TokenizeWithRules:
    """A tokenizer that puts texts through rules before, and tokens afterwards.

    Args:
        tok: The tokenizer.
        rules: From a text to a text; None takes those that the tokenizer asks for, or
            `default_rules`.
        post_rules: From a token to a token; None takes `lamina.text.rules.post_rules`.

    Example:
        >>> list(TokenizeWithRules(BaseTokenizer())(["What a FILM"]))
        [['xxbos', 'xxmaj', 'what', 'a', 'xxup', 'film']]
    """

    tok: Cut
    rules: Sequence[Rule] | None = None
    post_rules: Sequence[Rule] | None = None

    def __call__(self, texts: Iterable[str], /) -> Iterator[list[str]]:
        """Give the tokens of each text.

        Args:
            texts: The texts.

        Raises:
            ContractError: The tokenizer takes no texts, or one and not several.
        """
        rules = rules_for(self.tok) if self.rules is None else self.rules
        after = post_rules if self.post_rules is None else self.post_rules
        try:
            found = iter(self.tok(apply_rules(text, rules) for text in texts))
        except (TypeError, AttributeError) as error:
            raise ContractError(
                f"{self.tok!r:.60} cannot cut several texts ({error}). Give a tokenizer, such as "
                "SpacyTokenizer(), or functools.partial(map, function) for a function of one text; "
                "a vocabulary goes into text_vocab=."
            ) from error
        if not after:
            return found
        known = Remembered(lambda token: apply_rules(token, after))
        return (list(map(known.__getitem__, tokens)) for tokens in found)

    def join(self, tokens: Iterable[str]) -> str:
        """Return the text of tokens; what rules have changed stays as they made it."""
        return join_tokens(self.tok, tokens)


@strict
def tokenize1(
    text: str,
    tok: Cut,
    *,
    rules: Sequence[Rule] | None = None,
    post_rules: Sequence[Rule] | None = None,
) -> list[str]:
    """Return the tokens of one text; see `TokenizeWithRules`.

    Args:
        text: The text.
        tok: The tokenizer.
        rules: From a text to a text.
        post_rules: From a token to a token.

    Example:
        >>> tokenize1("What a FILM", BaseTokenizer())
        ['xxbos', 'xxmaj', 'what', 'a', 'xxup', 'film']
    """
    return next(iter(TokenizeWithRules(tok, rules, post_rules)([text])))


class Remembered(dict):
    """The results of a function of a text, each worked out once, as long as there are not too many.

    Args:
        fn: The function.
        longest: The length from which a text is not remembered.
    """

    def __init__(self, fn: Callable[[str], object], longest: int = 60) -> None:
        super().__init__()
        self.fn = fn
        self.longest = longest

    def __missing__(self, key: str) -> object:
        """Work a result out."""
        if len(self) >= _MOST_KEPT:
            self.clear()
        value = self.fn(key)
        if len(key) < self.longest:
            self[key] = value
        return value


def rules_for(tok: object) -> Sequence[Rule]:
    """Return the rules that a tokenizer asks for, or `default_rules`."""
    rules = getattr(tok, "rules", None)
    return default_rules if rules is None else rules


def join_tokens(tok: object, tokens: Iterable[str], sep: str = " ") -> str:
    """Return the text of tokens, as their tokenizer joins them.

    Args:
        tok: The tokenizer.
        tokens: The tokens.
        sep: What comes between tokens when the tokenizer does not say.
    """
    join = getattr(tok, "join", None)
    return sep.join(tokens) if join is None else join(tokens)
