-- Posts one body over and over; writes the figures of the run as JSON when it ends.
-- wrk sends a request that no function of the script makes from a prepared buffer, so this costs it nothing.

local function content_of(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

wrk.method = "POST"
wrk.headers["Content-Type"] = os.getenv("BENCH_CONTENT_TYPE")
wrk.body = content_of(os.getenv("BENCH_BODY"))

function done(summary, latency, _)
  local errors = summary.errors
  local file = assert(io.open(os.getenv("BENCH_RESULT"), "w"))
  file:write(string.format(
    '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "timeouts": %d, '
      .. '"p50_ms": %.3f, "p99_ms": %.3f, "longest_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
  file:close()
end
