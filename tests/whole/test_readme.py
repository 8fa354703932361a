"""README's lines, pasted as they stand: only the port is another, because the usual one may be taken."""

import json
import re
import subprocess
from pathlib import Path

from tests.running_service import Service, clean_environment, show_position, wait_for_status

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_lines_work_as_they_stand(service: Service) -> None:
    start, send, look = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert start.splitlines()[-1] == "make run"
    assert re.search(
        r"^run:.*\n\t@exec \$\(BIN\)/smsledger up \$\(ARGS\)$", (ROOT / "Makefile").read_text(), re.M
    )

    def paste(*blocks: str) -> str:
        lines = "".join(blocks).replace("http://127.0.0.1:8080", service.ready.url)
        done = subprocess.run(
            ["sh", "-e", "-c", lines],
            cwd=Path(service.ready.data_dir).parent,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    answer = json.loads(paste(send))
    assert (answer["errorCode"], answer["message"]) == (0, "OK")
    with service.client(service.ready.server_key) as client:
        # A person's moment between two pastes.
        wait_for_status(client, answer["messageId"], "DELIVERED")
        headers = show_position(client, answer["messageId"])
        assert client.get("/v1/sms/messages", headers=headers).status_code == 200

    key = send.splitlines(keepends=True)[0]
    listed, _, timeline = paste(key, look).partition("]")
    assert answer["messageId"] in listed
    assert f"{answer['messageId']}  DELIVERED" in timeline
    for name in ("QUEUED", "SENDING", "SENT", "DELIVERED"):
        assert re.search(rf"^\d{{4}}-\d\d-\d\d .*  {name} ", timeline, re.MULTILINE)
        assert name in README
