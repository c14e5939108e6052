// In sanitized builds only: where a keeper's reports go. It has /dev/null for its own output, and berthd starts it without an environment.

namespace {
constexpr const char* kReports = "log_path=/run/berth-keeper-report";  // and the process id
}

extern "C" {
const char* __asan_default_options() { return kReports; }
const char* __tsan_default_options() { return kReports; }
const char* __ubsan_default_options() { return kReports; }
}
