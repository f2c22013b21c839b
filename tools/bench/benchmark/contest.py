"""Runtimes that take turns: each is a process that speaks the protocol of `swiftlet bench --bursts`."""

import json
import select
import subprocess
import time

BURST_SECONDS = 0.06
PAUSE_SECONDS = 0.02    # lets threads that spin after their work go to sleep before the next one's turn
ANSWER_SECONDS = 180
WARM_UP_RUNS = 2        # at the start of each burst: the others have had the caches


class Contestant:
    """A running process and the times that it gave."""

    def __init__(self, name, command):
        self.name, self.nanoseconds, self.error, self.facts = name, [], None, {}
        self.count = 1
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        answer = self.read()
        if answer is not None:
            self.facts = answer

    def read(self):
        """The next answer; None, and `error` set, when there is none."""
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            try:
                self.process.wait(5 if ready else 0)
            except subprocess.TimeoutExpired:
                pass
            self.close()
            self.error = f"ended with code {self.process.returncode}" if ready else f"no answer in {ANSWER_SECONDS} s"
            return None
        answer = json.loads(line)
        if "error" in answer:
            self.close()
            self.error = answer["error"]
            return None
        return answer

    def burst(self, keep):
        """A turn: warm-up runs, then `count` runs."""
        self.process.stdin.write(f"{WARM_UP_RUNS + self.count}\n")
        self.process.stdin.flush()
        answer = self.read()
        if answer is None:
            return
        times = answer["ns"][WARM_UP_RUNS:]
        if keep:
            self.nanoseconds += times
        self.count = max(3, min(1000, int(BURST_SECONDS * 1e9 / max(1, sorted(times)[len(times) // 2]))))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def contest(commands, rounds):
    """Lets the runtimes of `commands` ({name: command line}) take turns, `rounds` times; the order moves on by one each
    round. Returns the contestants by name."""
    contestants = [Contestant(name, command) for name, command in commands.items()]
    try:
        for round_number in range(-1, rounds):    # the first only finds out how many runs make a burst
            shift = round_number % len(contestants)
            for contestant in contestants[shift:] + contestants[:shift]:
                if contestant.error is None:
                    contestant.burst(keep=round_number >= 0)
                    time.sleep(PAUSE_SECONDS)
    finally:
        for contestant in contestants:
            contestant.close()
    return {contestant.name: contestant for contestant in contestants}
