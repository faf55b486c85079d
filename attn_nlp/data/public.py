"""Public datasets by name: one entry each, plain data.

To add one, add an entry here. Hub ids and column names are as documented by their owners and not
pinned to a commit yet (`revision=None`): the latest is used, and its sha is recorded in the facts.
A dataset whose Hub copy has other rows or another split has no `hub_id` here; its note names the
similar one. A license is "not stated" if neither the source nor the Hub states one.
"""

from __future__ import annotations

from attn_nlp.data.source import CARVED, HELD_OUT_FOLD, Published, Source

KIM = "Kim, 2014"
TEN_FOLD = "10-fold cross-validation, unpublished folds"
WITH_PHRASES = "trained on phrases as well"
SST = "Socher et al., 2013"
TREC = "Li & Roth, 2002"
TWEETS = "Barbieri et al., 2020"
MADE_OF_MR = "SST was made from MR sentences: never train or tune on mr and test on sst2 or sst5"


def cnn_rand(accuracy: float, protocol: str) -> tuple[Published, ...]:
    """Return the published accuracy of the CNN of Kim (2014) with learned word vectors."""
    return (Published("CNN-rand", accuracy, KIM, protocol),)


REAL_SETS = (
    Source(
        "sst2",
        "SST-2",
        "en",
        hub_id="SetFit/sst2",
        hub_label="label_text",
        labels=("negative", "positive"),
        cite=SST,
        note=f"SST-2 sentences, not the 67k phrases of GLUE (stanfordnlp/sst2). {MADE_OF_MR}.",
        published=cnn_rand(0.827, WITH_PHRASES),
    ),
    Source(
        "sst5",
        "SST-5",
        "en",
        hub_id="SetFit/sst5",
        hub_label="label_text",
        labels=("very negative", "negative", "neutral", "positive", "very positive"),
        cite=SST,
        note=f"Sentences, not phrases; sst2 is this set without neutral. {MADE_OF_MR}.",
        published=cnn_rand(0.450, WITH_PHRASES),
    ),
    Source(
        "trec6",
        "TREC-6",
        "en",
        hub_id="CogComp/trec",
        hub_label="coarse_label",
        labels=("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"),
        validation_rule=CARVED,
        cite=TREC,
        note="10 test questions also occur in train; the same rows as trec50.",
        published=cnn_rand(0.912, "official split"),
    ),
    Source(
        "trec50",
        "TREC-50",
        "en",
        hub_id="CogComp/trec",
        hub_label="fine_label",
        validation_rule=CARVED,
        cite=TREC,
        note="Only 42 of 50 classes occur in test; the same rows as trec6.",
    ),
    Source(
        "mr",
        "MR",
        "en",
        labels=("neg", "pos"),
        validation_rule=CARVED,
        test_rule=HELD_OUT_FOLD,
        cite="Pang & Lee, 2005",
        note="cornell-movie-review-data/rotten_tomatoes has the same sentences in a split of its "
        f"own. {MADE_OF_MR}.",
        published=cnn_rand(0.761, TEN_FOLD),
    ),
    Source(
        "subj",
        "Subj",
        "en",
        labels=("subjective", "objective"),
        validation_rule=CARVED,
        test_rule=HELD_OUT_FOLD,
        cite="Pang & Lee, 2004",
        note="4,179 of the 5,000 subjective rows are mr rows; SetFit/subj has a split of its own.",
        published=cnn_rand(0.896, TEN_FOLD),
    ),
    Source(
        "mpqa",
        "MPQA",
        "en",
        labels=("negative", "positive"),
        validation_rule=CARVED,
        test_rule=HELD_OUT_FOLD,
        dedup=True,
        license="not stated for this derived set; terms of the MPQA Opinion Corpus",
        cite="Wiebe et al., 2005",
        note="Repeated phrases are dropped before splitting (the first label stays), so scores do "
        "not compare with published ones, whose folds share phrases.",
        published=cnn_rand(0.834, f"{TEN_FOLD}, repeats kept"),
    ),
    Source(
        "ag_news_subset",
        "AG News (18.8k)",
        "en",
        labels=("World", "Sports", "Business", "Sci/Tech"),
        validation_rule=CARVED,
        license="non-commercial research (source readme)",
        cite="Zhang et al., 2015",
        note="18,800 of the 120,000 train rows, all of test; the whole is fancyzhx/ag_news. Do "
        "not compare with full-train results.",
    ),
    Source(
        "banking77",
        "BANKING77",
        "en",
        hub_id="mteb/banking77",
        hub_label="label_text",
        validation_rule=CARVED,
        license="CC BY 4.0",
        cite="Casanueva et al., 2020",
        note="Some labels are known to be noisy; train is imbalanced, test has 40 rows a class.",
    ),
    Source(
        "clinc150",
        "CLINC150",
        "en",
        license="CC BY 3.0",
        cite="Larson et al., 2019",
        note="In-scope rows only; contained in clinc_oos_plus. The Hub's clinc/clinc_oos has no "
        "configuration with exactly these rows.",
    ),
    Source(
        "clinc_oos_plus",
        "CLINC150+OOS",
        "en",
        hub_id="clinc/clinc_oos:plus",
        hub_label="intent",
        license="CC BY 3.0",
        cite="Larson et al., 2019",
        note="oos is 250 of 15,250 train rows but 1,000 of 5,500 test rows: report in-scope "
        "accuracy and oos recall apart.",
    ),
    Source(
        "emotion",
        "Emotion",
        "en",
        hub_id="dair-ai/emotion:split",
        labels=("sadness", "joy", "love", "anger", "fear", "surprise"),
        license="educational and research use (authors' readme)",
        cite="Saravia et al., 2018",
        note="Labels are hashtags; a few texts occur in two splits with different labels.",
    ),
    Source(
        "tweet_eval_emotion",
        "TweetEval emotion",
        "en",
        hub_id="cardiffnlp/tweet_eval:emotion",
        labels=("anger", "joy", "optimism", "sadness"),
        license="none of its own; terms of SemEval-2018 task 1 and of Twitter",
        cite=TWEETS,
        note="The official metric is macro-F1. Contains offensive language.",
    ),
    Source(
        "tweet_eval_irony",
        "TweetEval irony",
        "en",
        hub_id="cardiffnlp/tweet_eval:irony",
        labels=("non_irony", "irony"),
        positive="irony",
        license="none of its own; terms of SemEval-2018 task 3A and of Twitter",
        cite=TWEETS,
        note="The official metric is F1 of irony; test is balanced otherwise than train. Contains "
        "offensive language.",
    ),
    Source(
        "imdb_subset5k",
        "IMDb (5k)",
        "en",
        labels=("neg", "pos"),
        validation_rule=CARVED,
        license="not stated; research use",
        cite="Maas et al., 2011",
        note="5,000 of 25,000 rows of each split; the whole is stanfordnlp/imdb. Long texts: 5% "
        "have over 590 words, so `length` matters.",
    ),
    Source(
        "chnsenticorp",
        "ChnSentiCorp",
        "zh",
        hub_id="lansinuote/ChnSentiCorp",
        labels=("negative", "positive"),
        license="not stated (source repository: Apache-2.0)",
        cite="Tan & Zhang, 2008",
        note="331 of 1,200 test rows also occur in train, so test accuracy is optimistic.",
    ),
    Source(
        "thucnews_titles_subset",
        "THUCNews titles (45k)",
        "zh",
        labels=(
            "finance",
            "realty",
            "stocks",
            "education",
            "science",
            "society",
            "politics",
            "sports",
            "game",
            "entertainment",
        ),
        license="MIT (source repository); the corpus is for research",
        cite="Sun et al., 2016",
        note="45,000 of 180,000 train rows; validation and test are whole.",
        published=(
            Published(
                "Transformer",
                0.899,
                "649453932/Chinese-Text-Classification-Pytorch",
                "all 180,000 train rows",
            ),
        ),
    ),
    Source(
        "sms_spam",
        "SMS Spam",
        "en",
        hub_id="ucirvine/sms_spam",
        hub_text="sms",
        labels=("ham", "spam"),
        positive="spam",
        validation_rule=CARVED,
        test_rule=HELD_OUT_FOLD,
        dedup=True,
        license="CC BY 4.0",
        cite="Almeida et al., 2011",
        note="87% ham, so accuracy alone misleads: use F1 of spam. Repeats are dropped before "
        "splitting.",
    ),
    Source(
        "r8",
        "R8",
        "en",
        labels=("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade"),
        validation_rule=CARVED,
        license="Reuters-21578: research use",
        cite="Lewis, 1997",
        note="Letters only, lower-cased; strongly imbalanced (earn 52% of train): use macro-F1.",
    ),
)
