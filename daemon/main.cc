#include <cstdio>

#include <fmt/core.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/berthd.h"
#include "daemon/config/config.h"
#include "daemon/host/log.h"
#include "daemon/host/memory.h"
#include "daemon/host/programs.h"
#include "daemon/options.h"
#include "daemon/ship/kinds.h"

namespace berth {
namespace {

/// Threads that allocate little share these; glibc would give each of them one of its own.
constexpr int kMostArenas = 2;

Exit complain(const Error& error) {
  fmt::print(stderr, "berthd: {}\n", error.message);
  return exit_code(error.code);
}

host::Programs programs_of(const Options& options) {
  std::error_code ignored;
  host::Programs programs = host::find_programs(fs::read_symlink("/proc/self/exe", ignored), BERTH_LIBEXEC_DIR);
  if (options.keeper) programs.keeper = *options.keeper;
  if (options.unpack) programs.unpack = *options.unpack;
  return programs;
}

Exit check(const Options& options) {
  const auto config = config::load(options.config, ship::sink_kinds());
  if (!config) return complain(config.error());
  if (const auto files = config::check_files(*config); !files) return complain({files.error().code, options.config.string() + ": " + files.error().message});
  fmt::print("{} is right: node {}, environment {}\n", options.config.string(), config->node, config->environment);
  return Exit::ok;
}

Exit run(const Options& options) {
  if (::geteuid() != 0)
    return complain({Errc::permission, "berthd has to be root: it gives each app a user of its own, its route and its cgroup. Start it with 'systemctl start "
                                       "berthd', or as root"});
  auto config = config::load(options.config, ship::sink_kinds());
  if (!config) return complain(config.error());
  host::set_up_log(config->log_level);
  host::forbid_core_files();
  auto berthd = Berthd::make(options.config, std::move(*config), programs_of(options));
  if (!berthd) return complain(berthd.error());
  return (*berthd)->run();
}

}  // namespace
}  // namespace berth

int main(int count, char** arguments) {
  ::mallopt(M_ARENA_MAX, berth::kMostArenas);
  ::umask(0022);
  berth::Exit exit = berth::Exit::ok;
  const auto options = berth::read_options(count, arguments, exit);
  if (!options) return static_cast<int>(exit);
  return static_cast<int>(options->check ? berth::check(*options) : berth::run(*options));
}
