from __future__ import annotations

from django.urls import path

from benchmarks.naive.views import HookView
from config.urls import urlpatterns as project_urls

urlpatterns = [path("naive", HookView.as_view()), *project_urls]
