{{/* Names, labels, images: what every object has. */}}

{{- define "rekindle.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* A model's name as a part of an object's name: dict root model. */}}
{{- define "rekindle.modelServer" -}}
{{- printf "%s-model-%s" (include "rekindle.fullname" .root) (.model | lower | replace "_" "-" | trimSuffix "-") | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The suspended CronJob: the gateway allows 30 characters, since a Job's name has the run's id too. */}}
{{- define "rekindle.trainer" -}}
{{- printf "%s-trainer" (include "rekindle.fullname" . | trunc 22 | trimSuffix "-") -}}
{{- end -}}

{{/* Labels that select: dict root component [model]. */}}
{{- define "rekindle.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
rekindle/model: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Labels of an object. No chart version on pod templates: it would restart every pod at every release. */}}
{{- define "rekindle.labels" -}}
{{ include "rekindle.selector" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of a pod: dict root component pod [model]. */}}
{{- define "rekindle.podLabels" -}}
{{ include "rekindle.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .pod.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* dict root image (a key of .Values.images) */}}
{{- define "rekindle.image" -}}
{{- $image := get .root.Values.images .image -}}
{{- $name := $image.repository -}}
{{- with .root.Values.image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "rekindle.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "rekindle.modelsClaim" -}}
{{ .Values.storage.models.existingClaim | default (printf "%s-models" (include "rekindle.fullname" .)) }}
{{- end -}}

{{- define "rekindle.dataClaim" -}}
{{ .Values.storage.data.existingClaim | default (printf "%s-data" (include "rekindle.fullname" .)) }}
{{- end -}}

{{/* One model's settings: its own over the common ones. dict root model */}}
{{- define "rekindle.model" -}}
{{- mustMergeOverwrite (deepCopy .root.Values.modelServer) (deepCopy (get .root.Values.models .model | default dict)) | toJson -}}
{{- end -}}

{{- define "rekindle.operator" -}}
{{- if or (eq .Values.monitoring.operator "always") (and (eq .Values.monitoring.operator "auto") (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}true{{- end -}}
{{- end -}}

{{- define "rekindle.prometheusUrl" -}}
{{- printf "http://%s-prometheus.%s.svc:9090" (include "rekindle.fullname" .) .Release.Namespace -}}
{{- end -}}
