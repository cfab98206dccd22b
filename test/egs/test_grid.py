"""GRID: both published layouts."""

from silvertalk.data.corpora.grid import sentence

CODES = ["bbaf2n", "lwbz9a"]


def test_stages_1_to_4(tmp_path, write_video, run_recipe, data_sets):
    for spk in ("s1", "s2", "s10", "s11"):
        for code in CODES:
            write_video(tmp_path / f"grid/{spk}/{code}.mp4", rate=44100)
    options = "--split speaker --num_frames 0"
    result = run_recipe("grid/av1", "--db_root", tmp_path / "grid", "--local_data_opts", options)
    assert result.returncode == 0, result.stdout
    sets = data_sets()
    assert [u.text for u in sets["dev"]] == [sentence(code) for code in sorted(CODES)]
    assert {u.spk for u in sets["eval1"]} == {"s1", "s2"}
    assert (tmp_path / "work/dump/face/eval1/mel.scp").is_file()
