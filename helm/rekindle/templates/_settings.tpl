{{/* The gateway's settings as environment variables: those of the values, and those that the chart decides. */}}

{{- define "rekindle.settings" -}}
{{- range $group, $entries := .Values.gateway.config }}
{{- range $name, $value := $entries }}
{{- if not (kindIs "invalid" $value) }}
GATEWAY_{{ upper $group }}__{{ upper $name }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}
GATEWAY_SERVER__HOST: "0.0.0.0"
GATEWAY_SERVER__PORT: "8000"
GATEWAY_SERVER__METRICS_PORT: "9000"
GATEWAY_SERVER__ALLOW_UNPROTECTED: {{ .Values.gateway.access.allowUnprotected | quote }}
GATEWAY_PREDICTOR__TARGETS: {{ include "rekindle.targets" . | quote }}
GATEWAY_STORES__MODELS: /models
GATEWAY_STORES__DATA: /data/datasets
GATEWAY_STORES__RUNS: /data/runs
GATEWAY_STORES__PICTURES: /data/pictures
GATEWAY_TRAINING__LAUNCHER: kubernetes
GATEWAY_TRAINING__CRON_JOB: {{ include "rekindle.trainer" . }}
{{- if .Values.gateway.access.tokensSecret }}
GATEWAY_ACCESS__TOKENS_FILE: /etc/rekindle/tokens/tokens
{{- end }}
{{- end -}}

{{/* `model=service:port`, by comma: a model's own servers answer for it alone. */}}
{{- define "rekindle.targets" -}}
{{- $targets := list }}
{{- range $model, $_ := .Values.models }}
{{- $targets = append $targets (printf "%s=%s:8500" $model (include "rekindle.modelServer" (dict "root" $ "model" $model))) }}
{{- end }}
{{- join "," $targets }}
{{- end -}}

{{- define "rekindle.databaseEnv" -}}
{{- if .Values.database.urlSecret.name }}
- name: GATEWAY_DATABASE__URL
  valueFrom: {secretKeyRef: {name: {{ .Values.database.urlSecret.name }}, key: {{ .Values.database.urlSecret.key }}}}
{{- else }}
- name: REKINDLE_DATABASE_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "rekindle.databaseSecret" . }}, key: password}}
- name: GATEWAY_DATABASE__URL
  value: postgresql://rekindle:$(REKINDLE_DATABASE_PASSWORD)@{{ include "rekindle.fullname" . }}-postgresql:5432/rekindle
{{- end }}
{{- end -}}

{{- define "rekindle.databaseSecret" -}}
{{ .Values.database.bundled.existingSecret | default (printf "%s-postgresql" (include "rekindle.fullname" .)) }}
{{- end -}}

{{/* Seconds until the kubelet may kill a gateway: what it needs to drain, and a little. */}}
{{- define "rekindle.graceSeconds" -}}
{{- $server := get .Values.gateway.config "server" | default dict -}}
{{- add 5 (get $server "drain_seconds" | default 0 | ceil | int) (get $server "shutdown_seconds" | default 10 | ceil | int) -}}
{{- end -}}
