"""How each preset is trained: the numbers of the published systems, and ours beside them."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """Everything of a training that is neither the network nor the run. The defaults are ours."""

    loss: str = "relativistic"
    """relativistic (RpGAN) or logistic (Goodfellow et al. 2014, non-saturating)."""
    class_weight: float = 0.0
    """Weight of the auxiliary emotion loss for the discriminator, where it classifies."""
    generator_class_weight: float = 0.0
    guide_weight: float = 0.0
    """The reading of fakes by a guide (see fergan.models.classifier), which is not in the game; 0 asks none.

    A dcgan's network of all emotions, which is not told which to draw, does without one.
    """
    class_on_fakes: bool = False
    """Whether the discriminator also learns emotions from fakes, as Odena et al. 2017 do."""
    label_noise: float = 0.0
    """Targets of the logistic loss are lowered by up to this, each by its own draw."""
    gamma: float = 0.05
    """Weight of R1 on real and R2 on fake images, as gamma / 2; 0 is none."""
    penalty_every: int = 16
    """Steps between penalties, each then weighted by as much (lazy regularisation)."""
    optimizer: str = "adam"
    """adam or rmsprop."""
    clip: float = 0.0
    """Largest size of each number of a gradient; 0 is no limit."""
    learning_rate: float = 5e-4
    beta1: float = 0.0
    beta2: float = 0.99
    batch: int = 64
    """Faces of a step, of all processes together."""
    conditions: str = "either"
    """One of fergan.data.CONDITIONS; onehot where the data has no votes."""
    power: float = 0.5
    """A class is drawn in proportion to its count to this power."""
    fake_power: float = 0.5
    flip: bool = True
    augment: float = 0.3
    """Share of images that DiffAugment changes."""
    broken_every: int = 0
    """Each so many-th fake of a discriminator is a broken real face (see augment.break_faces); 0 shows it none."""
    ema_images: int = 20_000
    """Half-life of the average of the generator's weights, in images; 0 is no average."""
    images: int = 5_000_000
    """How many to see, unless a flag says otherwise; of a dcgan each network, of its own emotion."""
    together: int = 0
    """dcgan: how many one network sees of all emotions before, so that each emotion's begins with what a face is
    (Wang et al. 2018, "Transferring GANs"); 0 begins each with nothing."""
    unit_range: bool = False
    """Published bug: real images in [0, 1] against a generator in [-1, 1]."""
    split_updates: bool = False
    """Published: the discriminator is updated on real images, then again on fakes."""
    frozen_statistics: bool = False
    """Published bug: fakes for the discriminator are drawn with the generator in inference mode."""

    def __post_init__(self) -> None:
        if self.loss not in ("relativistic", "logistic"):
            raise ValueError(f"loss must be relativistic or logistic, got {self.loss!r}.")
        if self.loss == "relativistic" and self.split_updates:
            raise ValueError(
                "A relativistic loss needs real and fake in one update: split_updates must be off."
            )
        if self.broken_every and (self.loss != "relativistic" or self.broken_every < 0):
            raise ValueError(
                "broken_every must be 0 or more, and 0 without a relativistic loss, which alone pairs faces."
            )
        if self.optimizer not in ("adam", "rmsprop"):
            raise ValueError(f"optimizer must be adam or rmsprop, got {self.optimizer!r}.")
        if self.generator_class_weight and not self.class_weight:
            raise ValueError(
                "A generator learns from no head that learns nothing: class_weight must be above 0, or"
                " generator_class_weight 0."
            )
        if self.batch < 2 or self.penalty_every < 1 or self.learning_rate <= 0:
            raise ValueError("batch must be 2 or more, penalty_every 1 or more, learning_rate above 0.")


_PUBLISHED = Recipe(
    loss="logistic",
    gamma=0.0,
    learning_rate=2e-4,
    beta1=0.5,
    beta2=0.999,
    batch=128,
    conditions="onehot",
    power=1.0,  # real labels follow the data, fake ones are uniform: the discriminator learns "disgust = fake"
    fake_power=0.0,
    flip=False,
    augment=0.0,
    ema_images=0,
    unit_range=True,
    split_updates=True,
)

RECIPES: dict[tuple[str, str], Recipe] = {
    ("cgan", "fixed"): Recipe(),
    ("cgan", "published"): _PUBLISHED,
    ("acgan", "fixed"): Recipe(class_weight=0.5, generator_class_weight=0.1),
    ("acgan", "published"): replace(
        _PUBLISHED,
        batch=64,
        class_weight=1.0,
        generator_class_weight=1.0,
        class_on_fakes=True,
        frozen_statistics=True,
    ),
    ("dcgan", "fixed"): Recipe(
        images=60_000,
        together=1_100_000,
        conditions="onehot",  # a vote for another has no network
        broken_every=4,
    ),
    ("dcgan", "published"): replace(
        _PUBLISHED,
        optimizer="rmsprop",
        clip=1.0,
        label_noise=0.05,
        learning_rate=1e-4,
        batch=16,
        split_updates=False,
        images=80_000,  # 5,000 iterations
    ),
    ("stylegan", "fixed"): Recipe(gamma=0.5, class_weight=0.2, generator_class_weight=0.05),
}


@dataclass(frozen=True)
class TranslatorRecipe:
    """Everything of a translator's training that is neither the network nor the run. The defaults are ours."""

    loss: str = "relativistic"
    """relativistic (RpGAN), logistic (the student report's) or wasserstein (the paper's)."""
    class_weight: float = 1.0
    """The discriminator reads the emotion of real faces."""
    generator_class_weight: float = 0.03
    """The discriminator's reading of translated ones: readers that weigh more ask for stripes (RESULTS)."""
    reads: bool = True
    """Whether a face's emotion, before it is changed, is the teacher's soft reading rather than its label."""
    guide_weight: float = 1.5
    """The guide's reading of translated ones, whose slopes are gentle; 0 does without one."""
    guide_noise: float = 0.0
    """Most noise on the faces that it reads, of [-1, 1]: an expression outlives it, a trick on the guide does not
    (as in randomised smoothing, Cohen et al. 2019)."""
    cycle: float = 2.0
    """There and back again (Choi et al. 2018, eq. 4)."""
    same: float = 3.0
    """To the face's own emotion: nothing should change (RelGAN's lambda 2)."""
    identity: float = 0.0
    """Features of a network that knows faces and no emotion. 0: likeness stays at 99 % without, and a network that is
    in no loss can say so."""
    paired: float = 10.0
    """Distance from what a generator draws of the same person (see train.pairs); 0 does without it."""
    alike: float = 0.3
    """How much the guide's maps of the two count in that distance, beside their pixels: a mouth that is open by
    half is no mouth's mean."""
    pairs: int = 12_000
    """How many there are: drawn once, from each emotion to each other one as often."""
    trusted: float = 0.2
    """Pairs of less trust (see train.pairs) are drawn anew."""
    typical: float = 0.7
    """Truncation of those pairs, and of the grids' faces: plain ones, drawn without faults."""
    lesson: int = 200_000
    """Images at first of pairs alone: the game begins with faces that change, not with a search for how to."""
    lesson_reads: float = 0.5
    """Weight of the guide's reading in the lesson: pairs say how, the guide how far."""
    lesson_known: float = 0.5
    """Where the guide reads an emotion in a smaller share of its photos it counts as much less, and pairs as much more: what
    convinces it of fear, which it hardly knows, is fingers on a chin (RESULTS). 0: all count alike."""
    learnt_passes: int = 2
    """How often a face goes through in training, at most as often as the network's `passes`. What they learn comes short
    of what they are shown, as the mean of all that could be meant does; one pass more goes the rest of the way (RESULTS)."""
    budget: float = 0.35
    """Share of a face that the mask may cover at no cost."""
    budget_weight: float = 1.0
    near: float = 6.0
    """How far a face may move at no cost: an L2 norm, of pixels in [-1, 1] at 48x48. Without it the guide is convinced by
    a stamp, the same on every face (RESULTS)."""
    near_weight: float = 1.0
    smooth: float = 30.0
    """Against flows that tear."""
    partial: float = 0.5
    """Share of the faces that are translated by a part only: their emotion should be the blend."""
    gamma: float = 0.2
    """Weight of R1, as gamma / 2; 0 is none."""
    penalty_every: int = 16
    slope_weight: float = 0.0
    """Weight of WGAN's penalty on slopes other than 1 (Gulrajani et al. 2017, eq. 3)."""
    critics: int = 1
    """Updates of the discriminator for each of the generator."""
    learning_rate: float = 3e-4
    decay: bool = True
    """Whether the learning rate falls to 0 over the second half of the planned images."""
    beta1: float = 0.0
    beta2: float = 0.99
    batch: int = 32
    """As Recipe's."""
    conditions: str = "either"
    power: float = 0.5
    flip: bool = True
    augment: float = 0.3
    """Share of images that DiffAugment changes before the discriminator sees them."""
    light: float = 0.3
    """How much brightness and contrast of faces vary before they are translated: photos differ."""
    ema_images: int = 20_000

    def __post_init__(self) -> None:
        if self.loss not in ("relativistic", "logistic", "wasserstein"):
            raise ValueError(f"loss must be relativistic, logistic or wasserstein, got {self.loss!r}.")
        if min(self.batch - 1, self.penalty_every, self.critics, self.learnt_passes) < 1:
            raise ValueError("batch must be 2 or more, penalty_every, critics and learnt_passes 1 or more.")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}.")
        if self.paired and self.pairs < 1:
            raise ValueError(f"pairs must be 1 or more, or paired 0 for none; got {self.pairs}.")
        if self.lesson and not self.paired:
            raise ValueError("A lesson needs pairs: paired must be above 0, or lesson 0.")
        for name in ("partial", "lesson_known"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)}.")


TRANSLATORS: dict[str, TranslatorRecipe] = {
    "fixed": TranslatorRecipe(),
    "published": TranslatorRecipe(
        loss="wasserstein",
        generator_class_weight=1.0,
        cycle=10.0,
        alike=0.0,
        reads=False,
        guide_weight=0.0,
        guide_noise=0.0,
        same=0.0,
        paired=0.0,
        lesson=0,
        budget_weight=0.0,
        near_weight=0.0,
        smooth=0.0,
        partial=0.0,
        gamma=0.0,
        slope_weight=10.0,
        critics=5,
        learning_rate=1e-4,
        beta1=0.5,
        beta2=0.999,
        batch=16,
        conditions="onehot",
        power=1.0,
        augment=0.0,
        light=0.0,
        ema_images=0,
    ),
}
