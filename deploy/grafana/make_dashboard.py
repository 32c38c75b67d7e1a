#!/usr/bin/env python3
"""Writes anybit.json, the Grafana dashboard, from the panels below.

usage: make_dashboard.py [--check]        --check only compares

Variables: data source, namespace, model (and the pods that serve it), SLA class. Every query is over the pods of the
model.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SPACE = 'namespace="$namespace"'
PODS = f'{SPACE},pod=~"$pod"'
RATE = "[$__rate_interval]"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24


def select(metric, *labels):
    return f"{metric}{{{','.join([PODS, *labels])}}}"


def rate(metric, *labels):
    return f"rate({select(metric, *labels)}{RATE})"


def total(metric, *labels, by=""):
    return f"sum{f' by ({by})' if by else ''} ({rate(metric, *labels)})"


def quantile(q, metric, *labels, by=""):
    group = "le" + (f", {by}" if by else "")
    return f"histogram_quantile({q}, sum by ({group}) ({rate(metric + '_bucket', *labels)}))"


def mean(metric, *labels, by=""):
    return f"{total(metric + '_sum', *labels, by=by)} / {total(metric + '_count', *labels, by=by)}"


CLASS = 'sla_class=~"$sla_class"'
IN_TIME = 'met="true"'
LIVE = 'agrees="true"'
CORRECT = 'correct="true"'
UNANSWERED = 'outcome=~"shed|expired|failed"'
MET = total("anybit_slo_requests_total", CLASS, IN_TIME)
ASKED = total("anybit_slo_requests_total", CLASS)
ACCURACY = "anybit_operating_point_accuracy_ratio"

# (title, unit, what it shows, [(query, legend)], options); a title alone is a row.
PANELS = [
    ("Now",),
    ("Ready pods", "none", "Pods that are ready, of those that Prometheus reaches.",
     [(f"sum({select('anybit_ready')})", "ready"), (f"count({select('anybit_ready')})", "all")], {"kind": "stat"}),
    ("Attainment", "percentunit", "Requests with a deadline that were answered in time.",
     [(f"{MET} / {ASKED}", "")], {"kind": "stat", "min": 0.99}),
    ("Served accuracy", "percentunit", "Mean expected accuracy of served requests.",
     [(mean("anybit_served_accuracy_ratio"), "")], {"kind": "stat", "decimals": 2}),
    ("Requests", "reqps", "Requests that ended, however they ended.",
     [(total("anybit_requests_total"), "")], {"kind": "stat"}),
    ("Not answered", "percentunit", "Shed, expired and failed requests.",
     [(f"{total('anybit_requests_total', UNANSWERED)} / {total('anybit_requests_total')}", "")],
     {"kind": "stat", "max": 0.01}),
    ("99th percentile", "s", "Arrival to answer, of served requests of the chosen classes.",
     [(quantile(0.99, "anybit_request_duration_seconds", CLASS), "")], {"kind": "stat"}),

    ("Requests and objectives",),
    ("Requests by outcome", "reqps", "How requests ended.",
     [(total("anybit_requests_total", by="outcome"), "{{outcome}}")], {"stack": True}),
    ("Attainment by class", "percentunit", "Requests with a deadline that were answered in time.",
     [(f"{total('anybit_slo_requests_total', CLASS, IN_TIME, by='sla_class')}"
       f" / {total('anybit_slo_requests_total', CLASS, by='sla_class')}", "{{sla_class}}")], {}),
    ("Burn of the budget", "none", "Errors over the budget of 1 %; an alert pages at 14.4 and at 6.",
     [('anybit:slo_errors:ratio_rate1h{namespace="$namespace",sla_class=~"$sla_class"} / 0.01', "{{sla_class}}, 1 h"),
      ('anybit:slo_errors:ratio_rate6h{namespace="$namespace",sla_class=~"$sla_class"} / 0.01', "{{sla_class}}, 6 h")],
     {}),
    ("Latency by class", "s", "Arrival to answer, of served requests.",
     [(quantile(q, "anybit_request_duration_seconds", CLASS, by="sla_class"), f"{{{{sla_class}}}}, {name}")
      for q, name in ((0.5, "median"), (0.99, "99th"))], {}),
    ("Where the time goes", "s", "99th percentiles: in the queue, in the batch, from the batch to the wire.",
     [(quantile(0.99, "anybit_queue_duration_seconds"), "queue"),
      (quantile(0.99, "anybit_compute_duration_seconds"), "batch"),
      (quantile(0.99, "anybit_delivery_duration_seconds"), "delivery")], {}),
    ("Refused calls", "reqps", "Calls that never became requests.",
     [(total("anybit_refused_calls_total", by="reason"), "{{reason}}")], {"stack": True}),

    ("Bits and accuracy",),
    ("Rows by operating point", "percentunit", "What the scheduler chose.",
     [(f"{total('anybit_rows_total', by='operating_point')} / ignoring (operating_point) group_left"
       f" {total('anybit_rows_total')}", "{{operating_point}}")], {"stack": True}),
    ("Accuracy", "percentunit", "Expected accuracy of served requests, between those of the best and the worst point.",
     [(mean("anybit_served_accuracy_ratio"), "served"), (f"max({select(ACCURACY)})", "best point"),
      (f"min({select(ACCURACY)})", "worst point")], {"decimals": 2}),
    ("Accuracy deficit", "percentunit", "Accuracy given up: in points, and as the share that autoscaling reads.",
     [(mean("anybit_accuracy_deficit_ratio"), "deficit"),
      (f"max({select('anybit:accuracy_deficit_share:rate2m')})", "share, worst pod")], {"decimals": 2}),
    ("Switches", "ops", "Batches at another operating point than the batch before, by the reason.",
     [(total("anybit_operating_point_switches_total", by="reason"), "{{reason}}")], {"stack": True}),
    ("Live agreement", "percentunit", "Answers that the most accurate point confirms, of those run again.",
     [(f"{total('anybit_live_rows_total', LIVE, by='operating_point')}"
       f" / {total('anybit_live_rows_total', by='operating_point')}", "{{operating_point}}")], {"decimals": 1}),
    ("Reported accuracy", "percentunit", "Answers that clients report as correct.",
     [(f"{total('anybit_feedback_rows_total', CORRECT, by='operating_point')}"
       f" / {total('anybit_feedback_rows_total', by='operating_point')}", "{{operating_point}}")], {"decimals": 1}),
    ("Batches", "ops", "Batches, and rows in the mean batch.",
     [(total("anybit_batches_total"), "batches"), (mean("anybit_batch_rows"), "rows in a batch")], {}),
    ("Latency of a row", "s", "For a row of the largest batch, by the profile.",
     [(f"max by (operating_point) ({select('anybit_operating_point_row_seconds')})", "{{operating_point}}")], {}),

    ("Queue and capacity",),
    ("Queue", "none", "Waiting requests and rows, running batches.",
     [(f"sum({select('anybit_queue_requests')})", "requests"), (f"sum({select('anybit_queue_rows')})", "rows"),
      (f"sum({select('anybit_running_batches')})", "batches that run")], {}),
    ("Queued work", "s", "Time that a pod needs for its queue at full accuracy; autoscaling aims at 20 ms.",
     [(f"sum by (pod) (avg_over_time({select('anybit_queue_work_seconds')}[1m]))", "{{pod}}")], {}),
    ("Slack at dispatch", "s", "Earliest run_by of a batch minus its predicted end; below 0 it is late already.",
     [(quantile(0.05, "anybit_dispatch_slack_seconds"), "5th percentile"),
      (quantile(0.5, "anybit_dispatch_slack_seconds"), "median")], {}),
    ("Utilization", "percentunit", "Computing time of the slots; two versions' batches may wait for each other in it.",
     [(f"avg by (pod) (clamp_max({total('anybit_slot_busy_seconds_total', by='pod, slot')}, 1))", "{{pod}}")], {}),
    ("Load at full accuracy", "percentunit", "Of a pod's slots, if all offered rows ran at the best point.",
     [(select("anybit:full_accuracy_load:rate2m"), "{{pod}}")], {}),
    ("Measured over predicted", "none", "Latency of batches; an alert tells of a drift of 0.2.",
     [(mean("anybit_batch_latency_prediction_ratio", by="pod"), "{{pod}}")], {"decimals": 2}),

    ("Tenants",),
    ("Answered in time by tenant", "percentunit", "Requests that were answered, and in time if they had a deadline.",
     [(f"{total('anybit_tenant_requests_total', IN_TIME, by='tenant')}"
       f" / {total('anybit_tenant_requests_total', by='tenant')}", "{{tenant}}")], {}),
    ("Requests by tenant", "reqps", "Requests that ended.",
     [(total("anybit_tenant_requests_total", by="tenant"), "{{tenant}}")], {"stack": True}),
    ("Accuracy by tenant", "percentunit", "Mean expected accuracy of served requests.",
     [(mean("anybit_tenant_served_accuracy_ratio", by="tenant"), "{{tenant}}")], {"decimals": 2}),

    ("Process",),
    ("Processor time", "none", "Processors in use.",
     [(rate("process_cpu_seconds_total"), "{{pod}}")], {}),
    ("Memory", "bytes", "Resident memory, and what requests hold of their limit.",
     [(select("process_resident_memory_bytes"), "{{pod}}, resident"),
      (select("anybit_request_memory_bytes"), "{{pod}}, requests"),
      (select("anybit_request_memory_limit_bytes"), "{{pod}}, limit of requests")], {}),
    ("Network", "bytes", "Memory of the weights, and of the panels made of them for single operating points.",
     [(select("anybit_weight_bytes"), "{{pod}}, weights"), (select("anybit_panel_bytes"), "{{pod}}, panels")], {}),
    ("Descriptors", "none", "Open file descriptors.", [(select("process_open_fds"), "{{pod}}")], {}),
    ("Replaced decisions", "ops", "Decisions of the policy that failed their check: a bug of the server.",
     [(total("anybit_decisions_replaced_total"), "")], {}),
    ("Certificate", "s", "Time that the certificate is valid; empty without TLS.",
     [(f"({select('anybit_tls_certificate_expiry_timestamp_seconds')} > 0) - time()", "{{pod}}")], {}),
    ("Version", "none", "Pods by version, model and kernels.",
     [(f"count by (version, commit) ({select('anybit_build_info')})", "{{version}} {{commit}}"),
      (f"count by (model, version, isa) ({select('anybit_model_info')})", "{{model}} {{version}} {{isa}}")],
     {"kind": "stat"}),
]


def thresholds(options):
    steps = [{"color": "green", "value": None}]
    if "min" in options:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": options["min"]}]
    if "max" in options:
        steps.append({"color": "red", "value": options["max"]})
    return {"mode": "absolute", "steps": steps}


def panel(number, entry, position):
    title, unit, description, queries, options = entry
    kind = options.get("kind", "timeseries")
    defaults = {"unit": unit, "thresholds": thresholds(options)}
    if "decimals" in options:
        defaults["decimals"] = options["decimals"]
    if kind == "timeseries":
        stacked = options.get("stack", False)
        defaults["custom"] = {
            "fillOpacity": 40 if stacked else 0,
            "lineWidth": 1,
            "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        }
        shown = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        shown = {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "colorMode": "value"}
    return {
        "id": number,
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": position,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": shown,
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend or "__auto"}
            for index, (query, legend) in enumerate(queries)
        ],
    }


def panels():
    made, x, y, height = [], 0, 0, 0
    for number, entry in enumerate(PANELS, 1):
        if len(entry) == 1:
            y, x = y + height, 0
            made.append({"id": number, "type": "row", "title": entry[0], "collapsed": False, "panels": [],
                         "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y}})
            y, height = y + 1, 0
            continue
        small = entry[4].get("kind") == "stat"
        width, tall = (4, 4) if small else (8, 8)
        if x + width > WIDTH:
            y, x = y + height, 0
        made.append(panel(number, entry, {"h": tall, "w": width, "x": x, "y": y}))
        x, height = x + width, tall
    return made


def variable(name, label, query, multiple):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": multiple,
        "includeAll": multiple,
        "current": {"text": "All", "value": "$__all"} if multiple else {},
    }


def dashboard():
    restarts = {
        "name": "Starts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"changes({select('process_start_time_seconds')}{RATE}) > 0",
        "titleFormat": "{{pod}} started",
    }
    return {
        "uid": "anybit",
        "title": "anybit",
        "description": "Requests, objectives, bits and accuracy of anybit servers.",
        "tags": ["anybit", "inference"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "annotations": {"list": [restarts]},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                 "current": {}},
                variable("namespace", "Namespace", "label_values(anybit_model_info, namespace)", False),
                variable("model", "Model", f"label_values(anybit_model_info{{{SPACE}}}, model)", False),
                variable("pod", "Pod", f'label_values(anybit_model_info{{{SPACE},model="$model"}}, pod)', True),
                variable("sla_class", "Class", f"label_values({select('anybit_slo_requests_total')}, sla_class)", True),
            ]
        },
        "panels": panels(),
    }


def main():
    text = json.dumps(dashboard(), indent=1) + "\n"
    path = HERE / "anybit.json"
    if sys.argv[1:] == ["--check"]:
        if path.read_text(encoding="utf-8") != text:
            print("anybit.json is stale: run make_dashboard.py")
            return 1
    elif sys.argv[1:]:
        print(__doc__.strip())
        return 2
    else:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
