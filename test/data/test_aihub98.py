import json
import unicodedata
import zipfile

import pytest

from silvertalk.bin import aihub98_prepare
from silvertalk.data import aihub98, read_scp
from silvertalk.data.corpus import SETS

DOMAIN, CATEGORY = "다산콜센터", "대중교통 안내"
ASKS, ANSWERS = "고객질문(요청)", "상담사답변"


def record(dialogue, number, text, field=ANSWERS, **changes):
    speaker = "고객" if field.startswith("고객") else "상담사"
    fields = dict.fromkeys(("고객의도", "상담사의도", ASKS, "상담사질문(요청)", "고객답변", ANSWERS), "")
    names = {
        "도메인": DOMAIN,
        "카테고리": CATEGORY,
        "대화셋일련번호": dialogue,
        "화자": speaker,
        "문장번호": str(number),
    }
    return names | fields | {"QA": "Q", "개체명 ": "서울", "용어사전": "", "지식베이스": "", field: text} | changes


def call(dialogue, *more):
    return [
        record(dialogue, 1, f"{dialogue} 버스는 어디에 있나요?", ASKS, 고객의도="버스노선"),
        record(dialogue, 2, "서울역 앞에서 타시면 됩니다."),
        *more,
    ]


def file_of(root, part, category=CATEGORY, tree="라벨링데이터_220121_add", suffix="zip"):
    path = root / f"{part}/{tree}/{DOMAIN}/민원(콜센터) 질의응답_{DOMAIN}_{category}_{part[2:]}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def put(root, part, records, encoding="utf-8", **names):
    """Write a zip file with one JSON file, as published."""
    path = file_of(root, part, **names)
    data = json.dumps(records, ensure_ascii=False).encode(encoding)
    if path.suffix == ".json":
        path.write_bytes(data)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{path.stem}.json", data)
    return path


@pytest.fixture
def corpus(tmp_path):
    root = tmp_path / "98"
    records = [record for k in range(1, 31) for record in call(f"B{k:04d}")]
    put(root, "1.Training", records)
    put(root, "2.Validation", call("B9001") + call("B9002"))
    return root


@pytest.fixture
def prepared(tmp_path):
    """Run the worker: set -> dialogues, set -> prompts, what was skipped."""

    def run(root, **options):
        out = tmp_path / "data"
        aihub98_prepare.prepare(str(root), str(out), **{"dev_share": 0.2} | options)
        dialogues = {
            name: [
                json.loads(line) for line in (out / name / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
            ]
            for name in SETS
        }
        skipped = dict(line.split("\t") for line in (out / "skipped.tsv").read_text(encoding="utf-8").splitlines())
        return dialogues, {name: read_scp(out / name / "text") for name in SETS}, skipped

    return run


def test_dialogues_and_prompts(corpus, prepared, caplog):
    caplog.set_level("INFO")
    dialogues, prompts, skipped = prepared(corpus)
    assert [each["id"] for each in dialogues["eval1"]] == [f"{DOMAIN}-대중교통_안내-B900{k}" for k in (1, 2)]
    assert dialogues["eval1"][0] == {
        "id": f"{DOMAIN}-대중교통_안내-B9001",
        "domain": DOMAIN,
        "category": CATEGORY,
        "turns": [
            {"speaker": "customer", "kind": "question", "intent": "버스노선", "text": "B9001 버스는 어디에 있나요?"},
            {"speaker": "counsellor", "kind": "answer", "intent": "", "text": "서울역 앞에서 타시면 됩니다."},
        ],
    }
    ids = [each["id"] for own in dialogues.values() for each in own]
    assert len(set(ids)) == len(ids) == 32 and dialogues["dev"] and not skipped
    # Everybody is told the same: it is read aloud once.
    assert prompts["eval1"] == {f"{DOMAIN}-대중교통_안내-B9001-002": "서울역 앞에서 타시면 됩니다."}
    assert not prompts["tr_no_dev"] and not prompts["dev"]
    assert "'said before': 31" in caplog.text


def test_sets_do_not_depend_on_other_files(corpus, prepared):
    before = prepared(corpus)[0]
    put(corpus, "1.Training", call("A1"), category="가")
    after = prepared(corpus)[0]
    for name in SETS:
        assert {each["id"] for each in before[name]} <= {each["id"] for each in after[name]}


def test_sentence_numbers_are_numbers(tmp_path, corpus, prepared):
    texts = [f"{word} 번째로 말씀드립니다." for word in ("하나", "둘", "셋")]
    records = [record("B1", number, text) for number, text in zip(("10", " 2", "9"), texts, strict=True)]
    put(corpus, "2.Validation", records)
    turns = prepared(corpus)[0]["eval1"][0]["turns"]
    assert [turn["text"] for turn in turns] == [texts[1], texts[2], texts[0]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949", "utf-8"])
@pytest.mark.parametrize("suffix", ["zip", "json"])
def test_encodings_and_keys(corpus, prepared, encoding, suffix):
    records = [{f"{key} ": value for key, value in each.items()} for each in call("B77")]
    put(corpus, "2.Validation", records, encoding, category="다른 것", suffix=suffix)
    assert "B77 버스는 어디에 있나요?" in [each["turns"][0]["text"] for each in prepared(corpus)[0]["eval1"]]


def test_garbled_names_in_zip_files(corpus, prepared):
    path = file_of(corpus, "2.Validation", category="일반행정 문의")
    name = "일반행정 문의.json".encode("cp949")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x" * (len(name) - 5) + ".json", b"[")
    # Korean Windows writes names as they are, without the mark of UTF-8.
    path.write_bytes(path.read_bytes().replace(b"x" * (len(name) - 5) + b".json", name))
    with zipfile.ZipFile(path) as archive:
        assert "일반" not in archive.namelist()[0]
    skipped = prepared(corpus)[2]
    assert [key.rpartition(":")[2] for key in skipped] == ["일반행정 문의.json"]


def test_taken_apart_names(tmp_path, corpus, prepared):
    for tree in ("라벨링데이터_231222_add", "원천데이터_220125_add"):
        folder = unicodedata.normalize("NFD", f"98/2.Validation/{tree}")
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.json").write_text(json.dumps(call(unicodedata.normalize("NFD", tree[:3]))))
    ids = [each["id"] for each in prepared(corpus)[0]["eval1"]]
    assert any(name.endswith("라벨링") for name in ids) and not any(name.endswith("원천데") for name in ids)


def test_zip_file_and_what_was_unpacked_from_it_count_once(corpus, prepared, caplog):
    caplog.set_level("INFO")
    before = prepared(corpus)[0]
    put(corpus, "2.Validation", call("B9001") + call("B9002"), suffix="json")
    assert prepared(corpus)[0] == before
    assert "2 dialogues left out that came before" in caplog.text


def test_one_number_of_two_calls(corpus, prepared):
    put(corpus, "2.Validation", call("B0001", record("B0001", 3, "다른 통화입니다.")))
    dialogues = prepared(corpus)[0]
    names = sorted(each["id"] for own in dialogues.values() for each in own if "B0001" in each["id"])
    assert names == [f"{DOMAIN}-대중교통_안내-B0001", f"{DOMAIN}-대중교통_안내-B0001_2"]
    assert dialogues["eval1"][0]["id"] == names[0]


@pytest.mark.parametrize(
    ("text", "options", "fit"),
    [
        ("네, 고객님. 무엇을 도와 드릴까요?", {}, True),
        ("ㅇㅇㅇ 고객님 맞으신가요?", {}, False),
        ("○○○ 고객님 맞으신가요?", {}, False),
        ("OOO 고객님 맞으신가요?", {}, False),
        ("*** 고객님 맞으신가요?", {}, False),
        ("요금은 1200 원입니다.", {}, False),
        ("요금은 1200 원입니다.", {"digits": True}, True),
        ("네.", {}, False),
        ("네.", {"min_length": 1}, True),
        ("무엇을 도와 드릴까요? " * 9, {}, False),
        ("무엇을 도와 드릴까요? " * 9, {"max_length": 900}, True),
    ],
)
def test_what_can_be_read_aloud(corpus, prepared, text, options, fit):
    put(corpus, "2.Validation", [record("B1", 1, text)])
    dialogues, prompts, _ = prepared(corpus, **options)
    assert dialogues["eval1"][0]["turns"][0]["text"] == text.strip()
    assert (list(prompts["eval1"].values()) == [text.strip()]) == fit


def test_whose_sentences(corpus, prepared):
    asks, answers = record("B1", 1, "서울역에 가고 싶은데요.", ASKS), record("B1", 2, "네, 고객님. 안내하겠습니다.")
    put(corpus, "2.Validation", [asks, answers])
    texts = {speaker: prepared(corpus, speaker=speaker)[1]["eval1"] for speaker in ("customer", "counsellor", "both")}
    assert [list(own) == sorted(own) and len(own) for own in texts.values()] == [1, 1, 2]
    with pytest.raises(ValueError, match="--speaker takes counsellor, customer, both, not 'x'"):
        prepared(corpus, speaker="x")


def test_fields_may_be_cut_and_may_both_be_filled(corpus, prepared):
    both = record("B1", 1, "무엇을 도와 드릴까요?", **{"고객질문": "안녕하세요."})
    put(corpus, "2.Validation", [both])
    turns = prepared(corpus)[0]["eval1"][0]["turns"]
    assert [(turn["speaker"], turn["kind"]) for turn in turns] == [("customer", "question"), ("counsellor", "answer")]


def test_damage_costs_what_is_damaged(corpus, prepared):
    (corpus / "1.Training/라벨링데이터_220121_add/broken.zip").write_bytes(b"PK no zip")
    (corpus / "1.Training/라벨링데이터_220121_add/broken.json").write_bytes(b'[{"a": ')
    (corpus / "1.Training/라벨링데이터_220121_add/odd.json").write_bytes(b"\xff\xff")
    (corpus / "1.Training/라벨링데이터_220121_add/other.json").write_bytes(b'{"info": []}')
    half = put(corpus, "1.Training", call("B500"), category="반")
    half.write_bytes(half.read_bytes().replace("서울역".encode(), "서울숲".encode()))  # its checksum is wrong now
    unusable = (record("B600", "셋", "가"), record("B600", 4, " "), 5, {"도메인": "가"})
    good = put(corpus, "1.Training", call("B600", *unusable), category="좋은")
    dialogues, _, skipped = prepared(corpus)
    name = str(good.relative_to(corpus))
    reasons = {key.removeprefix("1.Training/라벨링데이터_220121_add/"): reason for key, reason in skipped.items()}
    assert "cannot be opened" in reasons["broken.zip"] and "cannot be read" in reasons["broken.json"]
    assert "not text in utf-8-sig or cp949" in reasons["odd.json"] and "not a list of records" in reasons["other.json"]
    assert any("Bad CRC-32" in reason for reason in skipped.values())
    record_reasons = [skipped[f"{name}:{good.stem}.json:{k}"] for k in (3, 4, 5, 6)]
    for reason, wanted in zip(record_reasons, ("'셋'", "no text in any", "'5'", "no 카테고리"), strict=True):
        assert wanted in reason
    assert len(skipped) == 9 and any(each["id"].endswith("B600") for own in dialogues.values() for each in own)


def test_too_much_damage_and_empty_sets(corpus, prepared, tmp_path):
    with pytest.raises(ValueError, match="no dialogue is left for dev"):
        prepared(corpus, dev_share=0)
    put(corpus, "2.Validation", [{}] * 200, category="x")
    with pytest.raises(RuntimeError, match="200 of 267 files and records cannot be used .*the record has no 도메인"):
        prepared(corpus)
    assert not (tmp_path / "data/tr_no_dev/dialogues.jsonl").exists()


def test_training_alone_gives_all_sets(corpus, prepared, caplog):
    caplog.set_level("INFO")
    for path in (corpus / "2.Validation").rglob("*.zip"):
        path.unlink()
    dialogues, _, _ = prepared(corpus, eval_share=0.3)
    assert sum(map(len, dialogues.values())) == 30 and all(dialogues.values())
    assert "holds no Validation" in caplog.text


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match="--db_root"):
        aihub98.find_files("", {})
    with pytest.raises(FileNotFoundError, match=r"no .*1.Training/라벨링데이터\*.*_Training.zip: there should be .zip"):
        aihub98.find_files(tmp_path, {})


def test_all_archives_damaged(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(RuntimeError, match="a.zip: the archive cannot be opened"):
        aihub98.find_files(tmp_path, {})


def test_command_line(corpus, tmp_path, capsys):
    aihub98_prepare.main(["--db_root", str(corpus), "--out", str(tmp_path / "out"), "--dev_share", "0.2"])
    assert (tmp_path / "out/eval1/dialogues.jsonl").is_file()
    with pytest.raises(SystemExit, match="no folder"):
        aihub98_prepare.main(["--db_root", str(tmp_path / "gone")])
