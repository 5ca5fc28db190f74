"""The one error of the local cloud: where, what, and what to do, in one line.

Its texts hold no secret: the code that raises it passes names, not values.
"""


class LocalCloudError(Exception):
    """The local cloud cannot do what was asked.

    ``where`` is a path, a port or a setting, ``what`` the problem and ``todo`` the next step. Line breaks and missing full stops are fixed here.
    """

    def __init__(self, where: str, what: str, todo: str) -> None:
        self.where, self.what, self.todo = (" ".join(part.split()) for part in (where, what, todo))
        super().__init__(f"{self.where}: {_sentence(self.what)} {_sentence(self.todo)}".strip())


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
