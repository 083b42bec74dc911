"""synthetic_corpus(): a data set for megatron-core, built from a seed."""

def synthetic_corpus(
        name,
        vocabulary_size,
        documents,
        shortest,
        longest,
        seed = 0,
        **kwargs):
    """Builds `<name>.bin` and `<name>.idx`.

    Args:
      name: name of the target, and of the files without their suffix.
      vocabulary_size: number of tokens; the last one ends a document.
      documents: number of documents.
      shortest: tokens in the shortest document.
      longest: tokens in the longest document.
      seed: of the language and of the text.
      **kwargs: as for genrule.
    """
    builder = str(Label("//tools/corpus:build_corpus"))
    native.genrule(
        name = name,
        outs = [name + ".bin", name + ".idx"],
        cmd = " ".join([
            "$(execpath %s)" % builder,
            "--bin=$(execpath %s.bin)" % name,
            "--idx=$(execpath %s.idx)" % name,
            "--seed=%d" % seed,
            "--vocabulary_size=%d" % vocabulary_size,
            "--documents=%d" % documents,
            "--shortest=%d" % shortest,
            "--longest=%d" % longest,
        ]),
        message = "Writing the corpus",
        tools = [builder],
        **kwargs
    )
