"""How a script ends, and what train.py's flags do."""

import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from raciflux.command_line import parse, run_script
from raciflux.config.compose import compose, from_yaml, to_yaml
from raciflux.errors import UserError
from raciflux.stopping import Stopped


def leave(main, capsys):
    """Return exit status, stdout and stderr of a script with this main."""
    with pytest.raises(SystemExit) as caught:
        run_script(main)
    out = capsys.readouterr()
    return caught.value.code, out.out, out.err


def raising(error):
    def main(argv):
        raise error

    return main


def test_success_leaves_with_zero_and_main_gets_the_arguments(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "seed=1", "--validate"])
    status, out, err = leave(lambda argv: print(*argv), capsys)
    assert (status, out, err) == (0, "seed=1 --validate\n", "")


def test_user_error_is_one_line_and_status_2(capsys):
    status, out, err = leave(raising(UserError("sites.csv, row 3:\nno latitude")), capsys)
    assert (status, out, err) == (2, "", "error: sites.csv, row 3: no latitude\n")


def test_a_message_that_a_damaged_file_made_long_keeps_its_ends():
    message = str(UserError(f"table.csv: the column {'x' * 90_000!r} is there twice; rename or remove one"))
    assert message.startswith("table.csv: the column 'xxx") and message.endswith("is there twice; rename or remove one")
    assert len(message) < 1200


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_one_line(capsys, number):
    status, _, err = leave(raising(OSError(number, os.strerror(number), "runs/x/predictions.zarr")), capsys)
    assert status == 2
    assert err.startswith("error: disk full")
    assert "runs/x/predictions.zarr" in err
    assert err.count("\n") == 1


def test_full_disk_behind_another_error(capsys):
    def main(argv):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("could not write the run") from error

    assert leave(main, capsys)[0] == 2


def test_real_writers_on_a_full_disk(tmp_path):
    """Files larger than the limit fail as on a full disk: with torch, polars and zarr."""
    script = textwrap.dedent("""
        import resource, signal, sys
        import numpy, polars, torch, zarr
        from raciflux.command_line import run_script

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        noise = numpy.random.default_rng(0).random(100_000)  # does not shrink when compressed
        writers = [
            lambda: torch.save(torch.zeros(100_000), "a.pt"),
            lambda: polars.DataFrame({"a": range(100_000)}).write_parquet("a.parquet"),
            lambda: zarr.create_array("a.zarr", data=noise, chunks=(2000,)),
        ]
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        for write in writers[:-1]:
            try:
                run_script(lambda argv: write())
            except SystemExit as leaving:
                assert leaving.code == 2
        run_script(lambda argv: writers[-1]())  # dozens of concurrent writers, silent until the process has ended
        """)
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2, run.stderr
    assert [line[:16] for line in run.stderr.splitlines()] == ["error: disk full"] * 3, run.stderr


def test_other_errors_keep_their_traceback(capsys):
    for error in (OSError(errno.EACCES, "denied"), ValueError("a defect")):
        with pytest.raises(type(error)):
            run_script(raising(error))


def test_interruption_leaves_with_130(capsys):
    assert leave(raising(KeyboardInterrupt()), capsys)[0] == 130


def test_a_run_that_was_asked_to_stop_says_how_to_go_on_and_whether_anything_new_was_kept(capsys):
    for number, kept, status in ((signal.SIGTERM, True, 75), (signal.SIGUSR1, False, 76), (signal.SIGINT, True, 130)):
        assert leave(raising(Stopped(number, kept, "runs/x")), capsys) == (
            status,
            "",
            f"stopped by {number.name}, {'what was done is kept' if kept else 'nothing new was kept'}; "
            "go on with: python scripts/train.py resume=runs/x\n",
        )


def test_interruption_that_lightning_turned_into_an_exit(capsys):
    def main(argv):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    assert leave(main, capsys)[0] == 130
    assert leave(raising(SystemExit(3)), capsys)[0] == 3


def start(script):
    """Start a Python that runs this after importing the module."""
    script = f"from raciflux.command_line import *; import time; {script}"
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_signal_of_the_keyboard():
    # a shell's background jobs ignore the signal, and their children with them
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    with start(f"{listening}; run_script(lambda argv: (print('up', flush=True), time.sleep(30)))") as run:
        assert run.stdout.readline() == "up\n"
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=20)
    assert (run.returncode, err) == (130, "error: interrupted\n")


def test_reader_of_the_help_that_stops_early_is_no_error():
    with start("time.sleep(0.2); run_script(lambda argv: parse(['--help']))") as run:
        run.stdout.close()
        err = run.stderr.read()
        run.wait(timeout=20)
    assert (run.returncode, err) == (0, "")


def test_broken_pipe_elsewhere_is_no_success():
    with pytest.raises(BrokenPipeError):
        run_script(raising(BrokenPipeError()))


def test_parse_returns_what_runs():
    assert parse(["model.hidden=8"]) == compose(["model.hidden=8"])


def test_print_config_prints_nothing_else(capsys, tmp_path):
    assert parse(["--print-config", "seed=4"]) is None
    out = capsys.readouterr().out
    assert out == to_yaml(compose(["seed=4"]))
    path = tmp_path / "config.yaml"
    path.write_text(out, encoding="utf-8")
    assert from_yaml(path).seed == 4


def test_validate_says_what_would_run(capsys, tmp_path, monkeypatch):
    assert parse(["experiment=fluxnet2015_gpp", "--validate"]) is None
    out = capsys.readouterr().out
    assert "fluxnet2015_gpp" in out
    assert "terrestrial_gpp, source table\n" in out
    assert "raci, beside it ct_lstm, site_mean" in out
    assert "all of 5 spatial folds" in out
    assert "data=fluxnet2015_gpp model=raci transfer=scratch" in out
    assert out.endswith("nothing was started\n")
    parse(["--validate", "data.split.kind=leave_site_out", "compare=[]"])
    out = capsys.readouterr().out
    assert "fold 0 of the leave_site_out folds\n" in out
    assert "beside" not in out
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").touch()
    parse(["--validate", "data.split.file=mine.json", "data.split.fold=null"])
    assert "all of the split file mine.json\n" in capsys.readouterr().out


def test_validate_and_print_refuse_what_a_run_would(capsys):
    for flag in ("--validate", "--print-config"):
        with pytest.raises(UserError, match="did you mean 'seed'"):
            parse([flag, "sed=1"])
    for name, said in (
        ("nope", "known: fluxnet2015"),
        ("fluxnet2015_temporal_v3", "mean"),
        ("nope.json", "no such file"),
    ):
        for flags in (["--validate"], []):
            with pytest.raises(UserError, match=f"data.split.file={name}: .*{said}") as caught:
                parse([*flags, f"data.split.file={name}"])
            assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_comes_before_anything_is_checked(capsys, flag):
    assert parse([flag, "nonsense"]) is None
    assert "model.retrieval.neighbours" in capsys.readouterr().out


def test_unknown_flag():
    with pytest.raises(UserError, match="no flag '--valdate'; did you mean '--validate'"):
        parse(["--valdate"])


def test_only_a_run_asks_the_machine(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert parse(["trainer.accelerator=gpu", "--validate"]) is None
    with pytest.raises(UserError, match="sees none"):
        parse(["trainer.accelerator=gpu"])
