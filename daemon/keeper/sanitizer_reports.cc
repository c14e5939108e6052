// In sanitized builds only: where the reports of a keeper go. It has /dev/null for its own output, and berthd starts it without an environment.

namespace {
constexpr const char* kOptions = "log_path=/run/berth-keeper-report:disable_coredump=0";  // the process id is added to the name; apps may dump core
}

extern "C" {
const char* __asan_default_options() { return kOptions; }
const char* __tsan_default_options() { return kOptions; }
const char* __ubsan_default_options() { return kOptions; }
}
