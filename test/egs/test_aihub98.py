"""AI Hub 98: one zip file for each category, in either encoding, one of them damaged; there is one stage only."""

import json
import os
import subprocess
import sys
import zipfile

from silvertalk.data import read_scp
from silvertalk.data.corpus import SETS

KEYS = (
    "고객의도",
    "상담사의도",
    "QA",
    "고객질문(요청)",
    "상담사질문(요청)",
    "고객답변",
    "상담사답변",
    "개체명 ",
    "용어사전",
)
TALK = ("서울 가산동에서 어떻게 가나요?", "지하철 일호선을 타시면 됩니다.", "ㅇㅇㅇ 고객님 감사합니다.")


def write_category(root, part, category, numbers, encoding):
    folder = root / part / "라벨링데이터_220121_add" / "다산콜센터"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"민원(콜센터) 질의응답_다산콜센터_{category}_{part[2:]}"
    records = []
    for number in numbers:
        for k, text in enumerate(TALK, 1):
            names = {"도메인": "다산콜센터", "카테고리": category, "대화셋일련번호": number, "문장번호": str(k)}
            filled = (
                {"화자": "고객", "고객질문(요청)": f"{number} {text}"}
                if k == 1
                else {"화자": "상담사", "상담사답변": text}
            )
            records.append(names | dict.fromkeys(KEYS, "") | filled)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}.json", json.dumps(records[::-1], ensure_ascii=False).encode(encoding))
    return folder / f"{name}.zip"


def test_recipe(tmp_path):
    root = tmp_path / "022.민원(콜센터) 질의-응답 데이터/01.데이터"
    write_category(root, "1.Training", "대중교통 안내", [f"B{k:04d}" for k in range(20)], "cp949")
    write_category(root, "1.Training", "일반행정 문의", ["B2033"], "utf-8").write_bytes(b"PK")
    write_category(root, "2.Validation", "대중교통 안내", ["B9001"], "utf-8-sig")
    recipe = os.path.join(os.path.dirname(__file__), "../../egs/aihub98/text1/run.sh")
    command = [recipe, "--db_root", root, "--out", tmp_path / "data", "--dev_share", "0.2"]
    environment = os.environ | {"SILVERTALK_PYTHON": sys.executable}
    result = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = {name: (tmp_path / "data" / name / "dialogues.jsonl").read_text("utf-8").splitlines() for name in SETS}
    assert sum(map(len, lines.values())) == 21 and lines["dev"] and len(lines["eval1"]) == 1
    (dialogue,) = map(json.loads, lines["eval1"])
    assert [turn["text"] for turn in dialogue["turns"]] == [f"B9001 {TALK[0]}", *TALK[1:]]
    assert read_scp(tmp_path / "data/eval1/text") == {"다산콜센터-대중교통_안내-B9001-002": TALK[1]}
    (skipped,) = (tmp_path / "data/skipped.tsv").read_text("utf-8").splitlines()
    assert "일반행정 문의_Training.zip\tthe archive cannot be opened" in skipped
