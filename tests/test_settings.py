from __future__ import annotations

from pathlib import Path

import pytest

from lvbag import settings as module
from lvbag.settings import SettingsError, load_settings
from lvbag.store_roles import StoreRole


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "lvbag.yaml").write_text("train:\n  min_new_images: 7\n")
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(folder))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    return folder


def test_the_file_is_read_and_a_variable_wins_over_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().train.min_new_images == 7
    monkeypatch.setenv("LVBAG_TRAIN__MIN_NEW_IMAGES", "9")
    assert load_settings().train.min_new_images == 9
    assert load_settings().train.recipes == ("efficientnet_b0",), "a variable does not wipe out its group"


def test_what_up_wrote_stands_between_the_environment_and_the_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    module.embedded_env_path(home).write_text("LVBAG_STORE__SECRET_KEY=sesame\nLVBAG_TRAIN__MIN_NEW_IMAGES=8\n")
    settings = load_settings()
    assert settings.store.secret_key.get_secret_value() == "sesame"
    assert settings.train.min_new_images == 8
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", "other")
    assert load_settings().store.secret_key.get_secret_value() == "other"


def test_secrets_never_show(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_STORE__SECRET_KEY", "sesame")
    settings = load_settings()
    assert "sesame" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LVBAG_TRAIN__DEVICE", "gpu", r"train\.device = 'gpu' \(LVBAG_TRAIN__DEVICE\): must be 'require', 'prefer'"),
        ("LVBAG_CURATE__TEST_SHARE", "0.9", r"curate\.test_share = '0\.9' .*less than 0\.5"),
        ("LVBAG_STORE__ENDPOINT", "nowhere", r"store\.endpoint = 'nowhere'"),
        ("LVBAG_STORE__ENDPONT", "x", r"LVBAG_STORE__ENDPONT is no setting.*did you mean LVBAG_STORE__ENDPOINT"),
        (
            "LVBAG_CRAWL__SOURCES__SHOP__SEARCH_URL",
            "http://x/",
            r"must be an http\(s\) address that contains \{query\}",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trian: {}\n", r"trian \(.*lvbag\.yaml\): there is no such setting"),
        ("train:\n  recipe: x\n", r"train\.recipe \(.*\): there is no such setting"),
        ("train: [1]\n", r"train = \[1\]"),
        ("- a\n", "must hold settings by name, found list"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_a_wrong_file_is_named(config: Path, text: str, message: str) -> None:
    (config / "lvbag.yaml").write_text(text)
    module._read_settings.cache_clear()
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_a_wrong_group_in_the_file_is_named_also_where_a_variable_sets_one_of_its_settings(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config / "lvbag.yaml").write_text("train: [1]\n")
    monkeypatch.setenv("LVBAG_TRAIN__THREADS", "1")
    with pytest.raises(SettingsError, match=r"train = \[1\] \(.*lvbag\.yaml\): must hold settings by name"):
        load_settings()


def test_the_projects_own_configuration_is_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(module.PROJECT_ROOT / "config"))
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path))
    assert load_settings().crawl.sources == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", r"crawl\.sources\.shop\.schema_org: set either search_url or sitemap_url|set either search_url"),
        ("{search_url: 'http://x/{query}', sitemap_url: 'http://x/s.xml'}", "set either search_url or sitemap_url"),
        ("{search_url: 'http://x/{query}', page_url: 'http://x/{page}'}", r"contains \{query\} and \{page\}"),
        ("{sitemap_url: 'http://x/s.xml', sitemap_pattern: '('}", "is no regular expression"),
        ("{kind: nowhere}", "does not match any of the expected tags: 'schema_org', 'ebay_html'"),
        ("{kind: ebay_html}", "needs a permission that only you can confirm: eBay's user agreement forbids robots"),
        ("{kind: ebay_api, client_secret: sesame}", "needs a permission"),
        ("{kind: google_images, permission: yes please}", "takes no new customers and ends on 2027-01-01"),
        ("{kind: folder}", r"path .*Field required"),
    ],
)
def test_a_wrong_source_is_named_with_what_is_allowed_and_without_its_secrets(
    config: Path, text: str, message: str
) -> None:
    (config / "lvbag.yaml").write_text(f"crawl:\n  sources:\n    shop: {text}\n")
    module._read_settings.cache_clear()
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings()
    assert "sesame" not in str(caught.value)


def test_a_role_has_its_own_keys_and_no_others(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_STORE__ACCESS_KEY", "somebody")
    assert load_settings().as_role(StoreRole.CRAWLER) == load_settings(), "without roles everybody is that one user"
    for role in ("CRAWLER", "CURATOR"):
        monkeypatch.setenv(f"LVBAG_STORE__ROLES__{role}__ACCESS_KEY", f"the-{role.lower()}")
        monkeypatch.setenv(f"LVBAG_STORE__ROLES__{role}__SECRET_KEY", f"secret-of-{role.lower()}")
    store = load_settings().as_role(StoreRole.CRAWLER).store
    assert store.access_key.get_secret_value() == "the-crawler"
    assert store.secret_key.get_secret_value() == "secret-of-crawler"
    assert not store.roles
    assert "secret-of" not in repr(load_settings())
    with pytest.raises(SettingsError, match="LVBAG_STORE__ROLES__TRAINER__ACCESS_KEY"):
        load_settings().as_role(StoreRole.TRAINER)


def test_a_role_that_does_not_exist_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_STORE__ROLES__CRAWLR__ACCESS_KEY", "x")
    with pytest.raises(SettingsError, match="crawlr"):
        load_settings()


def test_a_list_in_a_variable_that_is_no_json_is_named(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_NOTIFY__EMAIL_TO", "nights@shop.example")
    with pytest.raises(SettingsError, match=r'LVBAG_NOTIFY__EMAIL_TO: lists .* are JSON in variables, such as \["one"'):
        load_settings()
    monkeypatch.setenv("LVBAG_NOTIFY__EMAIL_TO", '["nights@shop.example"]')
    assert load_settings().notify.email_to == ("nights@shop.example",)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("WEBHOOK_URL", "chat.example/sesame", r"notify\.webhook_url = \*\*\* .* must be an http\(s\) address"),
        ("EMAIL_TO", '["a@b.example, c@d.example"]', "must be a mail address such as"),
        ("EMAIL_FROM", "a@b.example\nBcc: c@d.example", "must be a mail address such as"),
        ("EVENTS", '["everything"]', "must be 'failed', 'quarantined', 'late'"),
    ],
)
def test_an_address_that_is_none_is_named_and_a_webhooks_not_shown(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"LVBAG_NOTIFY__{name}", value)
    with pytest.raises(SettingsError, match=message) as error:
        load_settings()
    assert "sesame" not in str(error.value)
