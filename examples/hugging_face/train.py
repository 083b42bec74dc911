"""Trains a small GPT-2 with Hugging Face's Trainer.

    python train.py --out=out

It knows nothing of the test that interrupts it. A resume takes the newest
checkpoint in the folder, as Hugging Face's own examples do.
"""

import argparse
import pathlib

import torch
import transformers
from transformers import trainer_utils

_VOCABULARY = 64
_LENGTH = 32
_SAMPLES = 192


class Sequences(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """Samples in which each token follows from the two before it."""

    def __init__(self, augment: bool) -> None:
        """Makes the samples.

        Args:
            augment: Whether one token of a sample is another each time.
        """
        self._augment = augment
        generator = torch.Generator().manual_seed(1)
        shape = (_SAMPLES, _LENGTH)
        self._tokens = torch.randint(_VOCABULARY, shape, generator=generator)
        for at in range(2, _LENGTH):
            self._tokens[:, at] = (
                self._tokens[:, at - 1] * 3 + self._tokens[:, at - 2]
            ) % _VOCABULARY

    def __len__(self) -> int:
        """Returns the number of samples."""
        return _SAMPLES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Returns a sample."""
        tokens = self._tokens[index]
        if self._augment:
            tokens = tokens.clone()
            tokens[torch.randint(_LENGTH, ())] = torch.randint(_VOCABULARY, ())
        return {"input_ids": tokens, "labels": tokens}


def main() -> None:
    """Trains."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--save-every", type=int, default=20)
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("--save-on-sigterm", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.set_seed(1337)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=_VOCABULARY,
            n_positions=_LENGTH,
            n_embd=64,
            n_layer=2,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            output_dir=str(options.out),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=8,
            learning_rate=3e-3,
            lr_scheduler_type="cosine",
            warmup_steps=5,
            logging_steps=1,
            save_steps=options.save_every,
            enable_jit_checkpoint=options.save_on_sigterm,
            disable_tqdm=True,
            report_to="none",
            use_cpu=True,
        ),
        train_dataset=Sequences(options.augment),
    )
    trainer.train(
        resume_from_checkpoint=trainer_utils.get_last_checkpoint(
            str(options.out)
        )
    )


if __name__ == "__main__":
    main()
