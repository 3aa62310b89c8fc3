"""What a process is told to use, and cannot: said in one line before it starts, with exit status 1."""


class Unfit(Exception):
    """Settings that are right one by one name something that cannot be used: a broker without an adapter, a file of wrong bars."""
