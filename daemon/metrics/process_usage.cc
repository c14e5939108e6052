#include "daemon/metrics/process_usage.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "daemon/supervise/process_tree.h"

namespace berth::metrics {
namespace {

std::string read(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The fields of /proc/self/stat after the command's name, which may have spaces in it: proc(5)'s field n is `[n - 3]`.
std::vector<std::uint64_t> stat_fields() {
  const std::string text = read("/proc/self/stat");
  const auto name_end = text.rfind(')');
  std::vector<std::uint64_t> fields;
  if (name_end == std::string::npos) return fields;
  std::istringstream rest(text.substr(name_end + 1));
  for (std::string word; rest >> word;) fields.push_back(std::strtoull(word.c_str(), nullptr, 10));
  return fields;
}

/// When the machine booted, seconds since 1970.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("btime ")) return std::strtod(line.c_str() + 6, nullptr);
  return 0;
}

}  // namespace

ProcessUsage process_usage() {
  ProcessUsage usage;
  const auto fields = stat_fields();
  if (fields.size() > 21) {
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    usage.cpu_seconds = static_cast<double>(fields[11] + fields[12]) / ticks;
    usage.start_seconds = boot_time() + static_cast<double>(fields[19]) / ticks;
    usage.virtual_bytes = fields[20];
    usage.resident_bytes = fields[21] * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  usage.open_fds = supervise::open_descriptors(::getpid());
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  return usage;
}

}  // namespace berth::metrics
