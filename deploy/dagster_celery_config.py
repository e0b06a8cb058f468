"""Settings of Celery's workers, which import this by its name: set PYTHONPATH to its folder.

Tasks are acknowledged when they begin (Celery's default), and it is to stay so: a task that is
handed out again hides from Dagster that its worker has died.
"""

import os

broker_url = os.environ["BACKBLAZE_BROKER"]
result_backend = os.environ["BACKBLAZE_RESULTS"]
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # what a busy worker had taken would wait beside an idle one
result_extended = True  # keeps which worker did what
broker_connection_retry_on_startup = True
