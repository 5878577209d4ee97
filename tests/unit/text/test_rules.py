from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.text.rules import (
    PAD,
    SPECIAL_TOKENS,
    UNK,
    apply_rules,
    fix_html,
    lowercase,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_space,
    replace_wrep,
    rm_useless_spaces,
    spec_add_spaces,
)


def test_unknown_and_padding_come_first():
    assert SPECIAL_TOKENS[0] == UNK == "xxunk"
    assert SPECIAL_TOKENS[1] == PAD == "xxpad"
    assert len(SPECIAL_TOKENS) == 9


GOLDEN = [
    (fix_html, "Some HTML&nbsp;text<br />here", "Some HTML text\nhere"),
    (fix_html, "I&#39;ll be back", "I'll be back"),
    (fix_html, "R&amp;D quot;x&quot;", "R&D 'x'"),
    (fix_html, "a &lt; b &eacute;", "a < b é"),
    (fix_html, "state @-@ of @.@ art...", "state-of.art …"),
    (fix_html, '<unk> \\n \\"quoted\\" #36;5', 'xxunk \n "quoted" $5'),
    (replace_rep, "cccc aa !!!", " xxrep 4 c  aa  xxrep 3 ! "),
    (replace_rep, "ccc", " xxrep 3 c "),
    (replace_rep, "a    b", "a    b"),
    (replace_wrep, "so so so good", " xxwrep 3 so  good"),
    (replace_wrep, "so so good", "so so good"),
    (replace_wrep, "blah blah blah blah.", " xxwrep 4 blah ."),
    (replace_wrep, "so so sophisticated", "so so sophisticated"),
    (spec_add_spaces, "#tag a/b c\\d", " # tag a / b c \\ d"),
    (rm_useless_spaces, "a   b  c\n\n d", "a b c\n\n d"),
    (replace_all_caps, "I AM SHOUTING, Now U.S.A.", "i xxup am xxup shouting, Now xxup u.s.a."),
    (replace_all_caps, "abcDEF B2B", "abcDEF xxup b2b"),
    (replace_maj, "Hello World A iPhone McDonald", "xxmaj hello xxmaj world a iPhone McDonald"),
    (lowercase, "  Hello McDonald ", "xxbos hello mcdonald"),
    (replace_space, "New York", "New▁York"),
]


@pytest.mark.parametrize(("rule", "text", "expected"), GOLDEN)
def test_rules_do_what_they_say(rule, text, expected):
    assert rule(text) == expected


def test_end_is_marked_on_demand():
    assert lowercase("A", add_bos=False, add_eos=True) == "a xxeos"


def test_all_rules_in_order():
    text = "This Film is GREAT!!!!<br /><br />So so so GOOD &amp; #1"

    assert apply_rules(text) == (
        "xxbos xxmaj this xxmaj film is xxup great xxrep 4 ! \n\nxxmaj so so so xxup good & # 1"
    )


WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=8), min_size=1, max_size=12)


@given(WORDS)
def test_plain_words_are_kept(words):
    text = " ".join(words)

    found = replace_wrep(replace_rep(text))
    if "xx" not in found:
        assert apply_rules(text) == f"xxbos {text}"


@given(st.text(max_size=60))
def test_any_text_ends_small_and_marked(text):
    found = apply_rules(text)

    assert found.startswith("xxbos")
    assert not any("A" <= sign <= "Z" for sign in found)


@pytest.mark.parametrize("long", ["AB" * 50_000 + "a", "Ab" * 50_000, "A" + "b1" * 50_000 + "C"])
def test_a_long_word_takes_no_longer_than_its_letters(long):
    start = process_time()
    replace_maj(replace_all_caps(long))

    assert process_time() - start < 1


@given(st.text("aB !", max_size=40))
def test_runs_of_signs_can_be_told_again(text):
    found = replace_rep(text).split(" ")
    written = []
    i = 0
    while i < len(found):
        is_run = found[i] == "xxrep"
        written.append(int(found[i + 1]) * found[i + 2] if is_run else found[i])
        i += 3 if is_run else 1

    assert "".join(written) == text.replace(" ", "")
