"""Secrets become stable placeholders on the way in and real values on the way out; nothing else changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agentops.redact.membrane import Membrane
from pytest_agentops.redact.secrets import from_environment

ENV = {
    "OPENAI_API_KEY": "correct-horse-battery",
    "PATH": "/usr/bin:/bin",
    "SHORT_TOKEN": "abc",
    "DB_PASSWORD_FILE": "/run/pw-file",
}
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    ("sk-proj-abcDEF123456_ghi-789jkl", "api_key"),
    ("sk-abcdefghijklmnopqrstuvwx", "api_key"),
    ("sk_live_abcdefghij0123", "api_key"),
    ("AIza" + "x" * 35, "api_key"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "github_token"),
    ("github_pat_11ABCDEFG0abcdefghijkl_xyz", "github_token"),
    ("AKIAIOSFODNN7EXAMPLE", "aws_key"),
    ("xoxb-123456789012-abcdefABCDEF", "slack_token"),
    (JWT, "jwt"),
    (PEM, "private_key"),
]

HARMLESS = [
    "prompt_tokens",
    "the token is lost",
    "task-oriented-dialogue-systems-2024",
    "risk-assessment-2024-final-report",
    "sk-learn",
    "Bearer of good news everywhere",
    "eyJust kidding",
    "ghp_short",
    "an XOXO at the end",
    "AKIA",
    "4111 1111 1111 1111",
    "ann@example.com",
    "-----BEGIN PUBLIC KEY-----",
]


@pytest.mark.parametrize(("secret", "kind"), SECRETS)
def test_secrets_are_known_by_their_looks(secret: str, kind: str) -> None:
    membrane = Membrane({})
    hidden = membrane.hide({"note": f"use {secret} now", "again": [secret]})
    assert hidden == {"note": f"use <<{kind}:1>> now", "again": [f"<<{kind}:1>>"]}
    assert membrane.reveal(hidden) == {"note": f"use {secret} now", "again": [secret]}
    assert membrane.scan(f"a: {secret}\n".encode()) == [kind]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay(text: str) -> None:
    membrane = Membrane(ENV)
    assert membrane.hide({text: text}) == {text: text}
    assert membrane.scan(text.encode()) == []


def test_a_bearer_token_loses_only_the_token() -> None:
    assert Membrane({}).hide("Authorization: Bearer abcdef0123456789==") == "Authorization: Bearer <<bearer_token:1>>"


def test_an_environment_s_secret_has_the_variable_s_name() -> None:
    membrane = Membrane(ENV)
    hidden = membrane.hide({"url": "https://u:correct-horse-battery@host", "key": "correct-horse-battery"})
    assert hidden == {"url": "https://u:<<secret:OPENAI_API_KEY>>@host", "key": "<<secret:OPENAI_API_KEY>>"}
    assert membrane.reveal(hidden["url"]) == "https://u:correct-horse-battery@host"
    assert membrane.scan(b"x: correct-horse-battery") == ["secret:OPENAI_API_KEY"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("X_KEY", True),
        ("x_token", True),
        ("X_SECRET", True),
        ("PGPASSWORD", True),
        ("PASSWORD_OF_X", True),
        ("X_KEYS", False),
        ("TOKENIZERS_PARALLELISM", False),
        ("KEYBOARD", False),
        ("MONKEY", False),
    ],
)
def test_which_variables_are_secrets(name: str, found: bool) -> None:
    assert bool(from_environment({name: "hunter2x"})) is found
    assert from_environment({name: "hunter2"}) == {}


@pytest.mark.parametrize(
    "value",
    [
        "development",
        "Disabled",
        "localhost:8080",
        "password",
        "REPLACE_ME",
        "us-east-1",
        "gpt-4o-mini",
        "12345678",
        "2026-11-23",
        "555-0100-99",
        "xxxxxxxx",
        "********",
        "/run/secrets/db_password",
        "./certs/server2.pem",
        "~/.ssh/id_ed25519",
        "C:\\keys\\my_key.pem",
        "http://localhost:8080/v1/chat/completions",
        "postgres://localhost:5432/shop",
    ],
)
def test_what_ordinary_text_may_hold_is_no_secret_for_its_variable(value: str) -> None:
    membrane = Membrane({"X_KEY": value, "DB_PASSWORD": value})
    assert membrane.hide(f"it says {value} here") == f"it says {value} here"
    assert membrane.scan(value.encode()) == []


@pytest.mark.parametrize(
    "value",
    [
        "hunter2x",
        "p@ssword",
        "Tr0ub4dor",
        "QwErTyUiOp",
        "4fe2-91ac-77b0",
        "very-private-value",
        "correcthorsebatterystaple",
        "123456789012",
        "pässwörter",
        "postgres://shop:word@localhost/shop",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "/Kx3abcDEF123456ghiJKL7",
        "https://hooks.slack.com/services/T00000000/B00000000/aBcDeFgHiJ1234567890XyZw",
    ],
)
def test_what_no_text_holds_by_chance_is_one(value: str) -> None:
    assert Membrane({"X_KEY": value}).hide(f"it says {value} here") == "it says <<secret:X_KEY>> here"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=16, max_size=60))
def test_a_random_key_is_looked_for(value: str) -> None:
    assert (from_environment({"X_KEY": value}) != {}) is (len(set(value)) >= 4)


def test_the_longer_of_two_secrets_is_found_first() -> None:
    membrane = Membrane({"A_KEY": "hunter2x", "B_KEY": "hunter2x-and-more"})
    assert membrane.hide("hunter2x-and-more hunter2x") == "<<secret:B_KEY>> <<secret:A_KEY>>"


# ---- fields


def test_a_field_is_known_by_its_exact_key_at_any_depth() -> None:
    membrane = Membrane({})
    value = {"card_number": "4111111111111111", "cards": [{"card_number": "4222222222222222"}], "card_number_hint": "4"}
    assert membrane.hide(value, ["card_number"]) == {
        "card_number": "<<card_number:1>>",
        "cards": [{"card_number": "<<card_number:2>>"}],
        "card_number_hint": "4",
    }


def test_token_is_no_part_of_prompt_tokens() -> None:
    usage = {"prompt_tokens": 4287, "max_tokens": 100, "token": "abc"}
    assert Membrane({}).hide(usage, ["token"]) == {"prompt_tokens": 4287, "max_tokens": 100, "token": "<<token:1>>"}


def test_a_field_by_its_path() -> None:
    value = {"card": {"number": 4111, "brand": "x"}, "number": 7}
    assert Membrane({}).hide(value, ["$.card.number"]) == {"card": {"number": "<<number:1>>", "brand": "x"}, "number": 7}


def test_everything_below_a_secret_key_is_secret_but_null() -> None:
    value = {"card": {"number": 4111, "valid": True, "note": None, "old": ["a", ""]}}
    hidden = Membrane({}).hide(value, ["card"])
    assert hidden == {"card": {"number": "<<number:1>>", "valid": "<<valid:1>>", "note": None, "old": ["<<old:1>>", ""]}}


def test_types_come_back() -> None:
    membrane = Membrane({})
    value = {"n": 4111, "t": "4111", "b": True, "f": 1.5}
    hidden = membrane.hide(value, list(value))
    assert len(set(hidden.values())) == 4
    assert membrane.reveal(hidden) == value
    assert [type(v) for v in membrane.reveal(hidden).values()] == [int, str, bool, float]
    assert membrane.reveal(f"card {hidden['n']}!") == "card 4111!"


def test_equal_values_stay_equal_across_calls_and_others_stay_apart() -> None:
    membrane = Membrane({})
    one = membrane.hide({"iban": "DE01"}, ["iban"])
    assert membrane.hide({"iban": "DE02"}, ["iban"]) != one
    assert membrane.hide({"iban": "DE01"}, ["iban"]) == one


def test_a_long_field_is_hidden_wherever_it_is_repeated() -> None:
    membrane = Membrane({})
    value = {"note": "charged 4111111111111111", "card_number": 4111111111111111}
    hidden = membrane.hide(value, ["card_number"])
    assert hidden["card_number"] == "<<card_number:1>>"
    assert "4111" not in hidden["note"]
    assert membrane.reveal(hidden) == value
    assert membrane.hide("again 4111111111111111") == hidden["note"].replace("charged", "again")
    assert membrane.scan(b"note: 4111111111111111") == ["card_number"]


@pytest.mark.parametrize(("first", "then", "kind"), [(41111111, "41111111", "text"), ("41111111", 41111111, "number")])
def test_a_number_and_its_text_are_one_secret(first: object, then: object, kind: str) -> None:
    membrane = Membrane({})
    assert membrane.hide({"card": first}, ["card"]) == {"card": "<<card:1>>"}
    hidden = membrane.hide({"card": then, "memo": "for 41111111"}, ["card"])
    assert hidden == {"card": f"<<card:1.{kind}>>", "memo": "for <<card:1>>"}
    assert membrane.reveal(hidden) == {"card": then, "memo": "for 41111111"}
    assert membrane.reveal("<<card:1>>") == first
    assert membrane.hide({"card": "42"}, ["card"]) == {"card": "<<card:2>>"}


def test_a_recorded_placeholder_with_a_kind_keeps_the_number() -> None:
    membrane = Membrane({})
    membrane.hide({"card": "<<card:1.text>>"}, ["card"])
    assert membrane.hide({"card": 7}, ["card"]) == {"card": "<<card:2>>"}


def test_a_short_field_is_not_looked_for_elsewhere() -> None:
    membrane = Membrane({})
    membrane.hide({"cvv": "123"}, ["cvv"])
    assert membrane.hide("room 123") == "room 123"
    assert membrane.scan(b"123") == []


def test_passthrough_is_real_for_the_agent_and_not_for_the_file() -> None:
    membrane = Membrane({})
    value = {"session": "ghp_abcdefghijklmnopqrstuvwxyz", "other": "ghp_zyxwvutsrqponmlkjihgfedcba"}
    file = membrane.hide(value, [])
    agent = membrane.hide(value, [], passthrough=["$.session"])
    assert file == {"session": "<<github_token:1>>", "other": "<<github_token:2>>"}
    assert agent == {"session": value["session"], "other": "<<github_token:2>>"}
    assert membrane.hide({"with": agent["session"]}) == {"with": "<<github_token:1>>"}


# ---- placeholders


def test_placeholders_that_pass_keep_their_numbers() -> None:
    membrane = Membrane({})
    assert membrane.hide({"seen": "<<iban:1>> and <<iban:3>>"}) == {"seen": "<<iban:1>> and <<iban:3>>"}
    made = [membrane.hide({"iban": f"DE0{i}"}, ["iban"])["iban"] for i in range(3)]
    assert made == ["<<iban:2>>", "<<iban:4>>", "<<iban:5>>"]


def test_a_recorded_placeholder_under_a_secret_key_stays_as_it_is() -> None:
    membrane = Membrane({})
    assert membrane.hide({"iban": "<<iban:1>>"}, ["iban"]) == {"iban": "<<iban:1>>"}


def test_a_placeholder_that_nobody_made_reveals_nothing() -> None:
    membrane = Membrane(ENV)
    text = "<<secret:OPENAI_API_KEY>> <<iban:1>> <<uuid:1>>"
    assert membrane.reveal({"x": text}) == {"x": text}
    assert membrane.reveal("<<secret:OPENAI_API_KEY>>") == "<<secret:OPENAI_API_KEY>>"


def test_a_field_named_uuid_does_not_meet_the_tape_s_own() -> None:
    assert Membrane({}).hide({"uuid": "x"}, ["uuid"]) == {"uuid": "<<secret:1>>"}


def test_hiding_twice_changes_nothing_more() -> None:
    membrane = Membrane(ENV)
    value = {"a": "correct-horse-battery", "b": JWT, "c": "DE01", "auth": "Bearer abcdef0123456789"}
    once = membrane.hide(value, ["c"])
    assert membrane.hide(once, ["c"]) == once


def test_two_secrets_of_a_text_are_numbered_from_the_left() -> None:
    assert Membrane({}).hide("AKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLF") == "<<aws_key:1>> <<aws_key:2>>"


def test_a_secret_as_a_key() -> None:
    membrane = Membrane({})
    hidden = membrane.hide({"AKIAIOSFODNN7EXAMPLE": 1})
    assert hidden == {"<<aws_key:1>>": 1}
    assert membrane.reveal(hidden) == {"AKIAIOSFODNN7EXAMPLE": 1}


def test_values_given_are_not_changed() -> None:
    value = {"iban": "DE01", "list": [{"key": JWT}]}
    Membrane({}).hide(value, ["iban"])
    assert value == {"iban": "DE01", "list": [{"key": JWT}]}


@pytest.mark.parametrize(
    "value", ['quo"ted-secret', "it's-a-secret", "back\\slash-secret", "two\nlines-of-it", "grüne-woche-2026"]
)
def test_the_scan_sees_through_the_ways_a_file_writes_a_value(value: str) -> None:
    from pytest_agentops.schema import document
    from pytest_agentops.schema.values import dumps

    membrane = Membrane({"X_SECRET": value})
    for text in (document.write({"a": {"b": value, "c": f"see {value} there"}}), dumps({"a": value})):
        assert membrane.scan(text.encode()) == ["secret:X_SECRET"], text


def test_threads_agree_on_placeholders() -> None:
    membrane = Membrane({})

    def work(n: int) -> str:
        return str(membrane.hide({"iban": f"DE{n % 8}"}, ["iban"])["iban"])

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(work, range(400)))
    assert len(set(made)) == 8
    assert {membrane.reveal(p) for p in made} == {f"DE{n}" for n in range(8)}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(value=json_values, secret=json_values)
def test_what_goes_in_comes_out_again(value: object, secret: object) -> None:
    membrane = Membrane(ENV)
    whole = {"value": value, "secret": secret}
    hidden = membrane.hide(whole, ["secret"])
    revealed = membrane.reveal(hidden)
    assert revealed == whole
    assert repr(revealed) == repr(whole)
