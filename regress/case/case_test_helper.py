"""A small valid case, for tests."""

from regress.case import case_pb2

NAME = "small"


def valid_case() -> case_pb2.Case:
    """Returns a new, valid case with a value in every field."""
    return case_pb2.Case(
        name=NAME,
        model=case_pb2.Model(
            implementation=case_pb2.Model.LOCAL,
            layers=24,
            hidden_size=64,
            attention_heads=4,
            sequence_length=32,
            vocabulary_size=512,
            hidden_dropout=0.1,
            attention_dropout=0.2,
            tied_embeddings=True,
        ),
        parallelism=case_pb2.Parallelism(
            tensor=1, pipeline=4, layers_per_virtual_stage=2
        ),
        training=case_pb2.Training(
            precision=case_pb2.Training.BF16,
            iterations=40,
            micro_batch_size=2,
            global_batch_size=16,
            save_interval=10,
            seed=1234,
        ),
        optimizer=case_pb2.Optimizer(
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            weight_decay=0.01,
            clip_grad=1.0,
            learning_rate=case_pb2.LearningRate(
                max=1e-3,
                min=1e-4,
                decay_style=case_pb2.LearningRate.COSINE,
                warmup_iterations=4,
                decay_iterations=40,
            ),
            decoupled_learning_rate=case_pb2.DecoupledLearningRate(
                max=5e-3, min=5e-4
            ),
            param_grouping=case_pb2.RESUMABLE,
        ),
        data=case_pb2.Data(corpus="testdata/corpus/x", split="949,50,1"),
        interruption=[
            case_pb2.Interruption(
                iteration=25,
                phase=case_pb2.BACKWARD,
                signal=case_pb2.SIGKILL,
                ranks=[0, 3],
            )
        ],
    )
