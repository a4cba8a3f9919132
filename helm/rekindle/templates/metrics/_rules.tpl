{{/* The two metrics that the HPA looks at; the range is four scrapes. A model that nobody asked yet has 0, since
the HPA cannot use a metric that is not there. */}}
{{- define "rekindle.scalingRules" -}}
groups:
  - name: rekindle-scaling
    rules:
      - record: rekindle_images_per_second
        expr: |
          sum by (namespace, release, model) (rate(gateway_images_arrived_total[{{ . }}]))
          or sum by (namespace, release, model) (gateway_stable_version * 0)
      - record: rekindle_images_in_flight
        expr: |
          sum by (namespace, release, model) (avg_over_time(gateway_images_in_flight[{{ . }}]))
          or sum by (namespace, release, model) (gateway_stable_version * 0)
{{- end -}}

{{/* What the adapter makes of them; also for an adapter of one's own. */}}
{{- define "rekindle.adapterRules" -}}
externalRules:
  {{- range list "rekindle_images_per_second" "rekindle_images_in_flight" }}
  - seriesQuery: '{__name__="{{ . }}",namespace!="",model!=""}'
    resources: {overrides: {namespace: {resource: namespace}}}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>})
  {{- end }}
{{- end -}}
