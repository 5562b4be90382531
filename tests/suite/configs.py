"""Reads configs as their programs do, so far as to tell directives from arguments. Written apart from the emitters on
purpose: it must not share their mistakes."""


def nginx_tokens(text):
    """("word", text) and ("{" or "}" or ";", "") after nginx's rules for quotes, escapes and comments."""
    i, n, word, open_word = 0, len(text), [], False
    while i < n:
        c = text[i]
        if not open_word and c == "#":
            while i < n and text[i] != "\n":
                i += 1
        elif not open_word and c in "\"'":
            i += 1
            while i < n and text[i] != c:
                if text[i] == "\\" and i + 1 < n:
                    word.append(text[i])
                    i += 1
                word.append(text[i])
                i += 1
            yield "word", "".join(word)
            word = []
        elif c in " \t\r\n":
            if open_word:
                yield "word", "".join(word)
                word, open_word = [], False
        elif c == ";" or (c == "{" and not (word and word[-1] == "$")) or (c == "}" and not open_word):
            if open_word:
                yield "word", "".join(word)
                word, open_word = [], False
            yield c, ""
        else:
            if c == "\\" and i + 1 < n:
                word.append(c)
                i += 1
            word.append(text[i])
            open_word = True
        i += 1


def nginx_directives(text):
    """Every directive as a list of its words; the entries of a map, geo or split_clients block are not directives."""
    found, statement, blocks = [], [], []
    for kind, word in nginx_tokens(text):
        if kind == "word":
            statement.append(word)
            continue
        if kind == "}":
            if blocks:
                blocks.pop()
        elif statement:
            if not (blocks and blocks[-1] in ("map", "geo")):
                found.append(statement)
            if kind == "{":
                blocks.append(statement[0])
        statement = []
    return found


def haproxy_directives(text):
    """Every line as a list of its words, after HAProxy's rules for quotes, backslashes and comments."""
    found = []
    for line in text.split("\n"):
        words, word, quote, started, i = [], [], "", False, 0
        while i < len(line):
            c = line[i]
            if quote == "'":
                if c == "'":
                    quote = ""
                else:
                    word.append(c)
            elif c == "\\" and i + 1 < len(line):
                i += 1
                word.append(line[i])
                started = True
            elif c in "\"'" and (not quote or quote == c):
                quote = "" if quote else c
                started = True
            elif not quote and c == "#":
                break
            elif not quote and c in " \t":
                if started or word:
                    words.append("".join(word))
                word, started = [], False
            else:
                word.append(c)
            i += 1
        if started or word:
            words.append("".join(word))
        if words:
            found.append(words)
    return found
