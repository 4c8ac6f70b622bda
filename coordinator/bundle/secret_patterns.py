"""What keys look like: tables for `coordinator.bundle.secrets`, checked 2026-11.

The patterns are of keys with a fixed form, so that ordinary sources have none. Beside our own, the tables have those of
detect-secrets 1.5, but for its guesses (entropy, public addresses) and for Discord's tokens, which have no fixed part
to search for. The package itself is not used: it takes 0.4 s to import, and over twenty times as long to search.
"""

from __future__ import annotations

import re

# Each table has (a word that is in every match, the pattern, what it is). A plain search for a word is many times as
# fast as one for a pattern, and most words are only looked for in the few long runs of letters and digits of a file.
# A pattern's first group is the secret itself; without a group it is the whole match.
Table = tuple[tuple[bytes, re.Pattern[bytes], str], ...]
LONG = re.compile(rb"(?<!\w)[\w+/=-]{20,}")


def _table(*rows: tuple[bytes, bytes, str]) -> Table:
    return tuple((word, re.compile(pattern), what) for word, pattern, what in rows)


def _fixed(what: str, *prefixes: str, most: str = "[0-9A-Za-z]", length: str) -> tuple[tuple[bytes, bytes, str], ...]:
    """Rows for keys that are a prefix and so many (as "{36}" says) of certain characters."""
    end = r"(?!\w)"
    return tuple(
        (prefix.encode(), rf"\b{re.escape(prefix)}{most}{{{length}}}{end}".encode(), what) for prefix in prefixes
    )


_HEX, _URL_SAFE = "[0-9a-f]", "[0-9A-Za-z_-]"

# Keys that can be told by themselves; the word is part of the key, and in one of its long runs.
KEYS = _table(
    *_fixed("a Kaggle access token", "KGAT_", length="16,"),
    *_fixed("a Hugging Face token", "hf_", "api_org_", length="30,"),
    *_fixed("an AWS access key", "AKIA", "ASIA", "ABIA", "ACCA", most="[0-9A-Z]", length="16"),
    *_fixed("an AWS Bedrock key", "ABSK", most="[0-9A-Za-z+/=]", length="100,"),
    *_fixed("a GitHub token", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", length="36,"),
    *_fixed("a GitHub token", "github_pat_", most=r"\w", length="60,"),
    (b"gl", rb"\bgl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[0-9A-Za-z_-]{20,}", "a GitLab token"),
    *_fixed("a GitLab token", "GR1348941", most=_URL_SAFE, length="20,"),
    (b"xox", rb"\bxox[abeoprs]-[0-9A-Za-z-]{24,}", "a Slack token"),
    *_fixed("a Slack token", "xapp-", most="[0-9A-Za-z-]", length="30,"),
    *_fixed("an OpenRouter key", "sk-or-v1-", most=_HEX, length="40,"),
    *_fixed("an Anthropic key", "sk-ant-", most=_URL_SAFE, length="40,"),
    *_fixed("an OpenAI key", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-", most=_URL_SAFE, length="40,"),
    *_fixed("an OpenAI key", "sk-", length="40,"),
    *_fixed("a DeepSeek key", "sk-", most=_HEX, length="32"),
    *_fixed("a Langfuse key", "sk-lf-", most="[0-9a-f-]", length="36"),
    *_fixed("a Groq key", "gsk_", length="40,"),
    *_fixed("an xAI key", "xai-", length="60,"),
    *_fixed("a Perplexity key", "pplx-", length="40,"),
    *_fixed("a Replicate token", "r8_", length="37,"),
    *_fixed("an NVIDIA key", "nvapi-", most=_URL_SAFE, length="50,"),
    *_fixed("a Together key", "tgp_v1_", most=_URL_SAFE, length="40,"),
    *_fixed("an ElevenLabs key", "sk_", most=_HEX, length="48"),
    *_fixed("a Tavily key", "tvly-", most=_URL_SAFE, length="30,"),
    *_fixed("a Pinecone key", "pcsk_", most=r"\w", length="50,"),
    *_fixed("a LangSmith key", "lsv2_pt_", "lsv2_sk_", most=r"\w", length="32,"),
    *_fixed("a Weights & Biases key", "wandb_v1_", most=r"\w", length="40,"),
    *_fixed("a Databricks token", "dapi", most=_HEX, length="32"),
    *_fixed("a DigitalOcean token", "dop_v1_", "doo_v1_", "dor_v1_", most=_HEX, length="64"),
    *_fixed("a Docker token", "dckr_pat_", "dckr_oat_", most=_URL_SAFE, length="27,"),
    *_fixed("a Google API key", "AIza", most=_URL_SAFE, length="35"),
    *_fixed("a Google OAuth secret", "GOCSPX-", most=_URL_SAFE, length="28"),
    *_fixed("a Grafana token", "glsa_", "glc_", most=r"[\w+/=]", length="32,"),
    *_fixed("a Notion token", "ntn_", length="40,"),
    *_fixed("a Postman key", "PMAK-", most="[0-9a-f-]", length="50,"),
    *_fixed("a Sentry token", "sntrys_", "sntryu_", most=r"[\w+/=]", length="40,"),
    *_fixed("a Supabase token", "sbp_", most=_HEX, length="40"),
    *_fixed("a Supabase token", "sb_secret_", most=_URL_SAFE, length="30,"),
    *_fixed("a Shopify token", "shpat_", "shpca_", "shppa_", "shpss_", most="[0-9A-Fa-f]", length="32"),
    *_fixed("a RubyGems key", "rubygems_", most=_HEX, length="48"),
    *_fixed("an Atlassian token", "ATATT3", most="[0-9A-Za-z_=-]", length="100,"),
    *_fixed("an age key", "AGE-SECRET-KEY-1", most="[0-9A-Z]", length="58"),
    *_fixed("a Stripe key", "sk_live_", "rk_live_", length="20,"),
    *_fixed("a PyPI token", "pypi-AgE", most=_URL_SAFE, length="50,"),
    *_fixed("an npm token", "npm_", length="36"),
    (b"_authToken=", rb"/:_authToken=([0-9A-Fa-f-]{36})\b", "an npm token"),
    *_fixed("a Neptune token", "eyJhcGlfYWRkcmVzcyI6", most="[0-9A-Za-z+/=_-]", length="40,"),
    (b"AccountKey=", rb"\bAccountKey=([0-9A-Za-z+/=]{88})", "an Azure storage key"),
    (b"SharedAccessKey=", rb"\bSharedAccessKey=([0-9A-Za-z+/]{43}=)", "an Azure access key"),
    (b"AZDO", rb"\b[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}\b", "an Azure DevOps token"),
    (b"-us", rb"\b[0-9a-f]{32}-us[0-9]{1,2}\b", "a Mailchimp key"),
    *_fixed("a Twilio key", "SK", most=_HEX, length="32"),
    *_fixed("a Square key", "sq0csp-", "sq0atp-", most=_URL_SAFE, length="22,"),
    *_fixed("an Artifactory key", "AKCp", length="40,"),
)

_FREE = rb"0-9A-Za-z_~.-"
# Each has its word in a long run of letters, digits and "+/=.~-".
SOLID = _table(
    (b"PuTTY-User-Key-File", rb"PuTTY-User-Key-File-[23]: ", "a private key"),
    (b"eyJ", rb"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{16,}", "a JSON web token"),
    (b"ya29.", rb"\bya29\.[0-9A-Za-z_-]{20,}", "a Google OAuth token"),
    (b"1//0", rb"(?<![\w/])1//0[0-9A-Za-z_-]{30,}", "a Google OAuth token"),
    (b"Q~", rb"(?<![%b])[%b]{3}[0-9]Q~[%b]{31,34}(?![%b])" % ((_FREE,) * 4), "an Azure client secret"),
    (b"hooks.slack.com", rb"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/]{20,})", "a Slack webhook"),
    (b"SG.", rb"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}\b", "a SendGrid key"),
    (b"hvs.", rb"\bhvs\.[0-9A-Za-z_-]{24,}", "a Vault token"),
    (b".atlasv1.", rb"\b[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_=-]{60,}", "a Terraform token"),
    (b"api.softlayer.com", rb"api\.softlayer\.com/soap/v3(?:\.1)?/([0-9a-z]{64})", "a SoftLayer key"),
)
# What has no long run, or is told by what stands before it: the word is anywhere in the file.
OTHERS = _table(
    (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", "a private key"),
    (b"sig=", rb"[?&;]sig=([0-9A-Za-z+/%]{40,}(?:%3[Dd]|=))", "an Azure access signature"),
    (b":AA", rb"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}\b", "a Telegram token"),
    (b"loudant", rb"""(?i)cloudant\w*["'\]]*\s*[=:]\s*["']([0-9a-f]{64})["']""", "a Cloudant key"),
    (
        b"machine",
        rb"""\bmachine\s+[\w.-]+\s+(?:login\s+[^\s"']+\s+)?password\s+([^\s"']{6,})""",
        "a password of a .netrc file",
    ),
)
# A password in an address: what is before the "@" of its host. A slash may be escaped, as in JSON.
IN_ADDRESS = re.compile(rb"""(?i)[a-z]:(?:\\?/){2}([^\s/@:"'`<>()]{0,64}):([^\s/@"'`<>(){},]{6,256})@[\w\[]""")

# Values that are told by the name that they are given. What stands before a value ends with one of these, the sign of
# the assignment, and quotes: `key: v`, `"key": "v"`, `os.environ["KEY"] = 'v'`, `("key", "v")`, `--key v`, `?key=v`.
_KEY_NAMES = (
    rb"(?:api|access|secret|private|account|storage|subscription|encryption|signing|master|shared|session|app|admin|"
    rb"client|auth|service|license|webhook|deploy|openai|azure|wandb|kaggle|comet)[_-]?(?:access[_-]?)?key|"
    rb"secret|token|bearer|credentials?"
)
_GIVEN = (
    rb"""["'\]\\]{0,4}\s*(?:(?::=|=>|[:=])\s*(?:[A-Za-z_.\[\] |]{0,16}=\s*)?|,[ \t]*(?=[bBrRuU]?["']))"""
    rb"""(?:Bearer\s+|Basic\s+)?[bBrRuUfF]{0,2}\\?["'`]{0,3}$"""
)
ASSIGNED = re.compile(
    rb"(?i)(?:(?:%b)%b|--[\w-]*(?:key|token|secret)[\s=]+[\"']?$|\bauthorization\W{1,6}(?:bearer|basic)\s+$)"
    % (_KEY_NAMES, _GIVEN)
)
BARE_KEY = re.compile(rb"(?i)(?<![\w-])(?:kaggle[_-])?key%b" % _GIVEN)
OF_WANDB = re.compile(rb"(?i)wandb(?:[^=]|=(?![^\n]*\n)){0,100}(?:key|login|password|token)[^0-9A-Za-z\n]{0,12}$")
OF_COMET = re.compile(rb"(?i)comet[\s\S]{0,60}key[^0-9A-Za-z\n]{0,12}$")
OF_KAGGLE = re.compile(rb"""(?i)kaggle|user_?name["']{0,3}\s*[:=,]""")
VALUE = re.compile(rb"(?<![0-9A-Za-z+/_-])[0-9A-Za-z+/_~-][0-9A-Za-z+/_.~-]{18,}[0-9A-Za-z+/_~-]={0,2}")
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PASSWORD = re.compile(
    rb"""(?i)(?:password|passwd|passphrase|\bpwd)["'\]\\]{0,4}\s*(?::=|=>|[:=])\s*[bBrRuU]{0,2}["']{1,3}([^\s"']{8,128})["']"""
    rb"""|^\s*(?:export\s+)?[A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE)\s*[:=]\s*([^\s"'(){}<>$]{8,128})\s*$"""
    rb"""|\b(?-i:[A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE))=([^\s"'(){}<>$]{8,128})(?=[\s"'])""",
    re.MULTILINE,
)

# Words that stand where a key would in documentation, and in examples of the services themselves.
PLACEHOLDER = re.compile(
    rb"(?i)example|placeholder|your[_-]|your$|yourkey|change[_-]?me|replace[_-]?me|redacted|dummy|insert[_-]|"
    rb"x{6,}|\*{3,}|\.{3}|<\w|\$\{|\$\(|\{\{|%\(|^[$%{]"
)
WORDS = frozenset(
    {
        *(b"password1", b"password123", b"password1234", b"passw0rd", b"p4ssw0rd", b"pass1234", b"secret1"),
        *(b"secret123", b"token123", b"admin123", b"user:pass1"),
    }
)
