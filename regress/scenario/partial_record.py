"""What a test that is told to stop still knows, in one line a rank."""

from collections.abc import Iterator

from regress.run import event_stream, run_pb2
from regress.scenario import job_files


def gather(
    files: job_files.JobFiles, ranks: int, fingerprint: str
) -> run_pb2.RunRecord:
    """The attempts so far, from what their ranks have written.

    Args:
      files: where they wrote it.
      ranks: how many an attempt has.
      fingerprint: of the case.
    """
    record = run_pb2.RunRecord(case_fingerprint=fingerprint)
    for index in (0, 1):
        attempt = run_pb2.Attempt(index=index)
        for rank in range(ranks):
            path = files.events(index, rank)
            if path.exists():
                events, torn = event_stream.read(path)
                attempt.ranks.add(rank=rank, events=events, torn=torn)
        if attempt.ranks:
            record.attempts.append(attempt)
    return record


def describe(record: run_pb2.RunRecord, files: job_files.JobFiles) -> str:
    """Says how far each rank had come, and where its log is."""
    return "\n".join(_lines(record, files))


def _lines(
    record: run_pb2.RunRecord, files: job_files.JobFiles
) -> Iterator[str]:
    for attempt in record.attempts:
        for rank in attempt.ranks:
            iterations = [
                event.step.iteration
                for event in rank.events
                if event.HasField("step")
            ]
            saved = [
                event.checkpoint.iteration
                for event in rank.events
                if event.checkpoint.kind == run_pb2.CheckpointEvent.SAVED
            ]
            far = (
                f"iteration {iterations[-1]}" if iterations else "no iteration"
            )
            yield (
                f"attempt {attempt.index}, rank {rank.rank}: completed {far}, "
                f"saved {', '.join(map(str, saved)) or 'none'}; its log is "
                f"{files.log(attempt.index, rank.rank)}"
            )
