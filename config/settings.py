from __future__ import annotations

from pathlib import Path
from typing import Any

from config.celery import transport_options
from config.env import (
    MAX_BYTES_PER_HOUR,
    broker_url,
    databases,
    env,
    fernet_keys,
    networks,
    positive,
    rate_limit,
    redis_url,
    required,
    retention_days,
)
from config.navigation import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = required("SECRET_KEY", "any long random text; `make up` makes one")
FIELD_ENCRYPTION_KEYS = fernet_keys()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
TRUSTED_PROXIES = networks("TRUSTED_PROXIES")
HTTPS = PUBLIC_URL.startswith("https://")
# Messages show new tokens and secrets, which must not be stored in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_ENGINE = "access.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# A week: browsers of people who come weekly never use HTTP, and a site that gives up
# HTTPS can be opened again after that time.
SECURE_HSTS_SECONDS = 7 * 86_400 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # the owner decides whether subdomains are HTTPS only
    "security.W008",  # the proxy that ends TLS redirects and sends us HTTP
    "security.W021",  # the owner decides about preloading
    # Without HTTPS, common.W001 says so once: then cookies and HSTS cannot require it.
    *([] if HTTPS else ["security.W004", "security.W012", "security.W016"]),
]

# No known sender waits longer for a response; GitHub waits 10 seconds.
TICKHOOK_BODY_SECONDS = positive("TICKHOOK_BODY_SECONDS", default=20)
TICKHOOK_WEB_THREADS = positive("TICKHOOK_WEB_THREADS", default=4)

OWN_APPS = [
    "common",
    "access",
    "agents",
    "events",
    "webhooks",
    "triggers",
    "executions",
]
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "config.apps.TickhookAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "django_celery_results",
    *OWN_APPS,
]

MIDDLEWARE = [
    "common.middleware.ForwardedRequests",
    "webhooks.receiver.view.WebhookMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "common.middleware.ContentSecurityPolicy",
    "common.middleware.CompressedAdmin",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "access.sessions.RecordedSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "access.actors.ActingRequests",
    "access.logins.ThrottledLogins",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the templates of apps: unfold's own would win over those of ours.
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"crumbs": "config.crumbs", "times": "common.times"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = databases()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["access.logins.ThrottledBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# The page of internal tables links to Flower.
FLOWER_PORT = env.int("FLOWER_PORT", default=5555)

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
LOGIN_REDIRECT_URL = "admin:index"
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access.tokens.ApiTokenAuthentication",
        "access.keys.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access.permissions.PolicyPermission"],
    "DEFAULT_PAGINATION_CLASS": "common.api.lists.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": ["common.api.lists.FilterBackend"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "common.api.defaults.BrowsablePages",
    ],
    "DEFAULT_PARSER_CLASSES": ["common.api.defaults.BoundedJSONParser"],
    # Lone surrogates of senders cannot be encoded as UTF-8; as escapes they can.
    "UNICODE_JSON": False,
    "DEFAULT_METADATA_CLASS": "common.api.defaults.ViewMetadata",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.api.errors.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tickhook",
    "DESCRIPTION": "Schedules, webhooks and events become agent tasks.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # The second server is for API pages that are opened under another address.
    "SERVERS": [{"url": PUBLIC_URL}, {"url": "/"}],
    # Requests have other members than responses.
    "COMPONENT_SPLIT_REQUEST": True,
    # Some generators make a type of "null or X" that no value fits.
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.api.openapi.name_actions",
        "common.api.openapi.document_errors",
        "common.api.openapi.require_answered_members",
        "common.api.openapi.describe_defaults",
        "common.api.openapi.drop_directions",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ExecutionStatus": "executions.models.ExecutionStatus",
        "OutcomeEnum": "webhooks.models.DeliveryOutcome",
        "RunOutcome": "executions.services.outcomes.RunOutcome",
        "TaskStatus": "agents.models.TaskStatus",
    },
}

# The three calls against the direction of imports.
TICKHOOK_ON_NEWS = "executions.tasks.drain_inbox"
TICKHOOK_ON_TASK_FINISHED = "executions.services.callbacks.tasks_finished"
TICKHOOK_FINAL_EXECUTIONS = "executions.services.callbacks.find_final_executions"

# For how many days rows are kept; None: age does not delete them.
HISTORY_RETENTION_DAYS = retention_days("HISTORY_RETENTION_DAYS", default=90)
EVENT_BODY_RETENTION_DAYS = retention_days(
    "EVENT_BODY_RETENTION_DAYS", within=HISTORY_RETENTION_DAYS
)
TRACE_RETENTION_DAYS = retention_days(
    "TRACE_RETENTION_DAYS", within=HISTORY_RETENTION_DAYS
)
REJECTION_RETENTION_DAYS = retention_days(
    "REJECTION_RETENTION_DAYS", default=HISTORY_RETENTION_DAYS or 0
)
TICKHOOK_KEY_RETENTION_DAYS = retention_days("TICKHOOK_KEY_RETENTION_DAYS", default=30)

# Requests per minute that webhooks accept; 0 means no limit.
TICKHOOK_ADDRESS_LIMIT = rate_limit("TICKHOOK_ADDRESS_LIMIT", 12_000)
TICKHOOK_FORGERY_LIMIT = rate_limit("TICKHOOK_FORGERY_LIMIT", 600)
TICKHOOK_ENDPOINT_LIMIT = rate_limit("TICKHOOK_ENDPOINT_LIMIT", 12_000)
TICKHOOK_GLOBAL_LIMIT = rate_limit("TICKHOOK_GLOBAL_LIMIT", 60_000)
# Bytes of bodies that one webhook accepts per hour; 0 means no limit.
TICKHOOK_ENDPOINT_BYTES_PER_HOUR = rate_limit(
    "TICKHOOK_ENDPOINT_BYTES_PER_HOUR", 1_000_000_000, most=MAX_BYTES_PER_HOUR
)

REDIS_URL = redis_url()
# Private networks to which requests to URLs of senders and people may go.
TICKHOOK_ALLOWED_NETWORKS = networks("TICKHOOK_ALLOWED_NETWORKS")
# Celery tasks that agents of the backend `celery` may use.
TICKHOOK_AGENT_TASKS = env.list("TICKHOOK_AGENT_TASKS", default=["agents.tasks.echo"])
# The Procfile uses these; the settings read them to report a bad value by its name.
TICKHOOK_WORKER_CONCURRENCY = positive("TICKHOOK_WORKER_CONCURRENCY", default=2)
TICKHOOK_SLOW_CONCURRENCY = positive("TICKHOOK_SLOW_CONCURRENCY", default=2)
TICKHOOK_AGENT_CONCURRENCY = positive("TICKHOOK_AGENT_CONCURRENCY", default=2)

CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# No limit: beat would end after the last retry, and the clock with it.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A Redis that rejects a command (read-only after a failover, out of memory) must not
# end a worker, and with it the agents' code that runs in it.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(CELERY_BROKER_URL)
# RabbitMQ: seconds between heartbeats; two missed heartbeats end the connection.
CELERY_BROKER_HEARTBEAT = 10
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Claims are rows in PostgreSQL: a repeated message finds its task claimed.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Results of agents are stored in their tasks. This adds a row to Celery's own table for
# each task that ends. Celery itself stores nothing, it only deletes old rows.
TICKHOOK_CELERY_RESULTS = env.bool("TICKHOOK_CELERY_RESULTS", default=True)
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = "django-db" if TICKHOOK_CELERY_RESULTS else None
# Without results, beat needs no entry that deletes old ones.
CELERY_RESULT_EXPIRES = 86_400 if TICKHOOK_CELERY_RESULTS else None
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_TIME_LIMIT = 3900
CELERY_TASK_SOFT_TIME_LIMIT = 3720
CELERY_TASK_DEFAULT_QUEUE = "pipeline"
CELERY_TASK_ROUTES = {
    "triggers.tasks.*": {"queue": "clock"},
    "executions.tasks.*": {"queue": "pipeline"},
    "agents.tasks.*": {"queue": "agents"},
    "webhooks.tasks.*": {"queue": "slow"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = env.str(
    "CELERY_BEAT_SCHEDULER", default="triggers.clocks.scheduler:TickhookScheduler"
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}
    },
    "filters": {
        "paths": {"()": "common.logs.HideWebhookPaths"},
        "refusals": {"()": "common.logs.CountRefusals"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["refusals", "paths"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # With a line per rejected request, anyone could fill the log, and the lines
        # would show the paths of webhooks, which are half a secret.
        "django.request": {"level": "ERROR"},
        # Workers and beat raise the level of the root to WARNING.
        **{name: {"level": "INFO"} for name in OWN_APPS},
    },
}

TICKHOOK_CLOCK = "triggers.clocks.beat.BeatScheduler"
