"""What cards say of each kind of model, and of the data: words alone, which no checkpoint changes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """What is told of a kind of model, whatever its checkpoint says."""

    title: str
    task: str
    """The Hub's name for what it does."""
    does: str
    """With {size} for the side of a face."""
    how: str
    """Python that asks it for something."""
    paper: str
    evolution: str = "Fixed noise, seven emotions, from the first step on"
    use: str = (
        "Made to look at and to play with. Nobody shown is a real person, but it learnt from real ones."
    )
    misuse: str = "It must not be used to deceive, nor to judge people."


_DRAW = (
    "faces = engine.generate(model, [[0, 0, 0, 1, 0, 0, 0]], seeds=[7])  # happy; uint8 [1, {side}, {side}]"
)
_DRAWS = "Draws {size} faces that show an emotion."
_CHANGED = "Made to look at and to play with. A changed photo shows what its person never did: say so wherever you show it."
_NOT_ON_OTHERS = (
    "It must not be used to deceive, nor on photos of people who did not agree to it, nor to judge people."
)
_TASK = "unconditional-image-generation"
ABOUT = {
    "cgan": About(
        "Conditional GAN",
        _TASK,
        _DRAWS,
        _DRAW,
        "Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
    ),
    "acgan": About(
        "AC-GAN",
        _TASK,
        _DRAWS,
        _DRAW,
        "Odena et al. 2017, Conditional Image Synthesis with Auxiliary Classifier GANs",
    ),
    "dcgan": About(
        "DCGAN, a network for each emotion",
        _TASK,
        _DRAWS,
        _DRAW,
        "Radford et al. 2016, Unsupervised Representation Learning with DCGANs",
    ),
    "stylegan": About(
        "StyleGAN2 in small",
        _TASK,
        _DRAWS,
        _DRAW,
        "Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN",
    ),
    "stargan": About(
        "StarGAN",
        "image-to-image",
        "Gives a {size} face another expression, by as much as is asked.",
        "changed = engine.translate_faces(model, faces, [[0, 0, 0, 1, 0, 0, 0]], [1.0])  # faces: uint8 [1, {side}, {side}]",
        "Choi et al. 2018, StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation",
        "Drawn faces, and what becomes of them under seven emotions, from the first step on",
        _CHANGED,
        _NOT_ON_OTHERS,
    ),
    "guided": About(
        "Guided translator",
        "image-to-image",
        "Gives a {size} face another expression, by as much as is asked: it bends and shades the face until a"
        " classifier that was hardened against small changes sees the emotion.",
        "changed = engine.translate_faces(model, faces, [[0, 0, 0, 1, 0, 0, 0]], [1.0])  # faces: uint8 [1, {side}, {side}]",
        "Santurkar et al. 2019, Image Synthesis with a Single (Robust) Classifier; Xiao et al. 2018, Spatially"
        " Transformed Adversarial Examples",
        use=_CHANGED,
        misuse=_NOT_ON_OTHERS,
    ),
    "classifier": About(
        "Classifier of emotions",
        "image-classification",
        "Says which emotion a {size} face shows, of {emotions}.",
        "probabilities = engine.classify(faces, model)  # faces: uint8 [B, H, W]; float32 [B, 7]",
        "He et al. 2016, Deep Residual Learning (the judge); Simonyan & Zisserman 2015, Very Deep Convolutional Networks"
        " (the teacher, the guide); Guo et al. 2017, On Calibration of Modern Neural Networks",
        use="Made to measure drawn faces, not people: it tells what raters would call a posed picture, not what"
        " anybody feels.",
        misuse="It must not be used to judge, select or watch people.",
    ),
    "identity": About(
        "The same face or another",
        "image-feature-extraction",
        "Gives a {size} face a row of {features} numbers; rows of one photo's views lie close. It never saw an"
        " emotion's label. It measures, and can help in training to keep, how much of a person is left when a face gets"
        " another expression.",
        "_, network = checkpoint.load(hub.fetch(name))  # images [B, 1, {side}, {side}] in [-1, 1]",
        "Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual Representations (the loss)",
        use="A yardstick for drawn faces, not face recognition: it was shown no two photos of one person, and knows"
        " likeness of photos, hair and light included.",
        misuse="It must not be used to find or to check who somebody is.",
    ),
}
SEEN = "PublicTest and PrivateTest without the faces that stand in Training"
LED = "PrivateTest without the faces that stand in Training"
"""What translators are measured on: PublicTest chose the guide's epoch."""
TESTS = {
    "private": "PrivateTest, all of it",
    "private_clean": "PrivateTest without the faces that stand in Training",
    "held_out": "the fold held out",
    "public": "PublicTest without the faces that stand in Training, where epoch and temperature were chosen",
}
"""The parts that a classifier's metrics tell of, the main one first."""
LIKENESS = {
    "retrieval": ("faces whose other view is the nearest of all", ".1%"),
    "same": ("mean cosine of two views of one face", ".3f"),
    "different": ("mean cosine of different faces", ".3f"),
    "auc": ("ROC AUC, views of one face against different faces", ".4f"),
    "nearest_emotion": ("nearest other faces that show the same emotion", ".1%"),
    "chance_emotion": ("any other faces that show the same emotion", ".1%"),
}
"""An embedder's metrics."""
DATA = """FER2013 (Goodfellow et al. 2013): 35,887 grey faces of 48x48, found by image search with words for emotions and
labelled by people; 28,709 are Training (angry 3,995, disgust 436, fear 4,097, happy 7,215, sad 4,830, surprise 3,171,
neutral 4,965), 3,589 PublicTest and 3,589 PrivateTest. 3,369 of them are exact duplicates in 1,516 groups, 57 of which
have unlike labels; 280 faces of PublicTest and 288 of PrivateTest stand in Training too, and are left out of tests here
unless a line says otherwise. Flat images, and those that most raters called no face, are left out of Training."""
OWN_DATA = "Faces of its maker's own, in folders named by emotion; who they are, its maker knows."
LIMITS = """FER2013's labels are a guess from a posed picture: the majority of FER+'s ten raters agrees with 65 % of them (Barsoum et al.
2016), and a person who labels again with 65 ± 5 % (Goodfellow et al. 2013). Disgust has 436 training images.

The people are those whom an image search found in 2013, not a sample of anyone: nobody was asked, and age, skin,
sex and culture were not written down, so how much worse the model does on some of them cannot be measured with this
data; expect that it does. An emotion here is an appearance as strangers named it, in seven words, not what
somebody feels."""
OWN_LIMITS = """Whoever its maker did not collect, it does not know: expect that it is worse on them. An emotion here is an appearance
as strangers named it, in seven words, not what somebody feels."""
LICENCE = """FER2013 came with no licence for its images, so these weights are for research and demonstration alone. The FER+
votes are under the MIT licence."""
OWN_LICENCE = "Ask its maker under which licence the faces came that these weights are made of."
SOURCES = """- Goodfellow et al. 2013, Challenges in Representation Learning: A Report on Three Machine Learning Contests (FER2013).
- Barsoum et al. 2016, Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution
  (FER+ votes)."""


def kind(model: str) -> About:
    """A model that nothing is told of yet is a generator."""
    return ABOUT.get(model) or About(model, _TASK, _DRAWS, _DRAW, paper="")
