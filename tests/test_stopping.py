"""When a signal ends a command, and when it waits."""

import os
import signal
import threading
import time

import pytest
from raciflux import stopping

pytestmark = pytest.mark.usefixtures("ctrl_c_is_heard")


def send(number):
    os.kill(os.getpid(), number)


def test_outside_of_steps_a_signal_ends_the_command_at_once():
    for number in (signal.SIGTERM, signal.SIGUSR1):
        with pytest.raises(stopping.Stopped, match=number.name) as stopped, stopping.listening():
            send(number)
        assert not stopped.value.kept
    with pytest.raises(KeyboardInterrupt), stopping.listening():
        send(signal.SIGINT)
    assert not stopping.is_asked()


def test_what_another_command_kept_does_not_count():
    stopping.keep()
    with pytest.raises(stopping.Stopped) as stopped, stopping.listening():
        send(signal.SIGTERM)
    assert not stopped.value.kept


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_while_it_takes_steps_a_signal_waits_for_the_end(number, tmp_path):
    done = []
    with pytest.raises(stopping.Stopped, match="what was done is kept") as stopped, stopping.listening():
        stopping.name_run(tmp_path)
        with stopping.waiting_for_a_boundary():
            send(number)
            assert stopping.is_asked()
            stopping.keep()
            done.append("step")
    assert done == ["step"] and stopped.value.by == number
    assert str(stopped.value).endswith(f"python scripts/train.py resume={tmp_path}")


def test_a_cluster_that_says_it_twice_disturbs_nothing_and_a_second_ctrl_c_is_meant():
    with pytest.raises(KeyboardInterrupt), stopping.listening(), stopping.waiting_for_a_boundary():
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGTERM):
            send(number)
        send(signal.SIGINT)


def test_while_it_leaves_a_repeated_signal_disturbs_nothing():
    left = []
    with pytest.raises(stopping.Stopped), stopping.listening():
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            left.append("tidied up")
    assert left


def test_what_a_library_makes_of_being_stopped_is_no_defect():
    def library():
        try:
            send(signal.SIGTERM)
        except BaseException:
            raise RuntimeError("cannot load") from None

    with pytest.raises(stopping.Stopped, match="SIGTERM"), stopping.listening():
        library()
    with pytest.raises(RuntimeError, match="a defect"), stopping.listening(), stopping.waiting_for_a_boundary():
        send(signal.SIGTERM)
        raise RuntimeError("a defect")


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_held_back_signals_come_later(number):
    over, reached = threading.Event(), []
    other = threading.Thread(target=over.wait)  # of a library, which blocks nothing
    other.start()
    try:
        with pytest.raises((stopping.Stopped, KeyboardInterrupt)), stopping.listening():
            with stopping.held_back():
                signal.pthread_kill(other.ident, number)
                while not stopping.is_asked():
                    time.sleep(0.001)
                reached.append("the end of what is held back")
            reached.append("what follows")
    finally:
        over.set()
        other.join()
    assert reached == ["the end of what is held back"]


def test_a_signal_to_the_one_thread_that_there_is_comes_later_too():
    with pytest.raises(stopping.Stopped), stopping.listening():
        with stopping.held_back():
            signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
            reached = True
        reached = False
    assert reached


def test_what_the_shell_ignores_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping.listening():
            send(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert not stopping.is_asked()


def test_other_handlers_are_left_as_they_were():
    before = [signal.getsignal(number) for number in stopping.SIGNALS]
    with stopping.listening():
        assert [signal.getsignal(number) for number in stopping.SIGNALS] != before
    assert [signal.getsignal(number) for number in stopping.SIGNALS] == before
