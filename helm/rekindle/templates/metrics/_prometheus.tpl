{{/* The files of the bundled Prometheus: its configuration, the scaling rules, the rules of monitoring/. */}}
{{- define "rekindle.prometheusFiles" -}}
prometheus.yml: |
  global: {scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}
  rule_files: ["/etc/prometheus/*.rules.yaml"]
  scrape_configs:
    {{- range $job, $target := dict "gateway" (dict "port" "9000" "path" "/metrics" "component" "gateway-(predict|control)") "model-server" (dict "port" "8501" "path" "/monitoring/prometheus/metrics" "component" "model-server") }}
    - job_name: {{ $job }}
      metrics_path: {{ $target.path }}
      kubernetes_sd_configs: [{role: pod, namespaces: {own_namespace: true}}]
      relabel_configs:
        - {source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_instance], regex: {{ $.Release.Name | quote }}, action: keep}
        - {source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component], regex: {{ $target.component | quote }}, action: keep}
        - {source_labels: [__meta_kubernetes_pod_container_port_number], regex: {{ $target.port | quote }}, action: keep}
        - {source_labels: [__meta_kubernetes_pod_phase], regex: (Failed|Succeeded), action: drop}
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_instance], target_label: release}
        - {source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component], target_label: component}
        {{- if eq $job "model-server" }}
        - {source_labels: [__meta_kubernetes_pod_label_rekindle_model], target_label: model}
        {{- end }}
    {{- end }}
    - job_name: prometheus
      static_configs: [{targets: ["localhost:9090"]}]
scaling.rules.yaml: |
  {{- include "rekindle.scalingRules" "20s" | nindent 2 }}
{{- range $path, $_ := .Files.Glob "monitoring/rules/*.yaml" }}
{{ base $path | trimSuffix ".yaml" }}.rules.yaml: |
  {{- $.Files.Get $path | nindent 2 }}
{{- end }}
{{- end -}}
