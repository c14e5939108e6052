#include <algorithm>
#include <cstdio>

#include <fmt/core.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/berthd.h"
#include "daemon/check.h"
#include "daemon/config/config.h"
#include "daemon/config/show.h"
#include "daemon/first_process.h"
#include "daemon/host/log.h"
#include "daemon/host/memory.h"
#include "daemon/host/programs.h"
#include "daemon/options.h"
#include "daemon/ship/kinds.h"
#include "daemon/store/migrations.h"
#include "daemon/store/store.h"

namespace berth {
namespace {

/// Threads that allocate little share these; glibc would give each of them one of its own.
constexpr int kMostArenas = 2;

/// One that the help text lists.
Exit listed(Exit exit) {
  switch (exit) {
    case Exit::ok:
    case Exit::usage:
    case Exit::permission:
    case Exit::conflict: return exit;
    default: return Exit::failed;
  }
}

Exit complain(const Error& error) {
  fmt::print(stderr, "berthd: {}\n", error.message);
  return listed(exit_code(error.code));
}

fs::path self() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored);
}

host::Programs programs_of(const Options& options) {
  host::Programs programs = host::find_programs(self(), BERTH_LIBEXEC_DIR);
  if (options.keeper) programs.keeper = *options.keeper;
  if (options.unpack) programs.unpack = *options.unpack;
  return programs;
}

/// Whether the state that is there can be taken over, and what it is. Its folder is looked up as a daemon would, so this needs root.
Exit check_state(const config::Config& config) {
  const fs::path database = store::Paths{.state = config.state}.database();
  const auto schema = store::try_to_migrate(database, store::migrations());
  if (!schema) return complain(schema.error());
  const int newest = store::migrations().back().number;
  if (*schema == 0) fmt::print("{} is not there yet\n", database.string());
  else if (*schema == newest) fmt::print("{} has schema {}, as this berthd has it\n", database.string(), *schema);
  else fmt::print("{} has schema {} and can be brought to {}\n", database.string(), *schema, newest);
  return Exit::ok;
}

Exit check(const Options& options) {
  const auto config = config::load(options.config, ship::sink_kinds());
  if (!config) return complain(config.error());
  const std::string files = config::text_of(config->files);
  const auto warnings = check_config(*config);
  if (!warnings) {
    const std::string& wrong = warnings.error().message;
    const bool has_place = std::ranges::any_of(config->files, [&](const fs::path& file) { return wrong.starts_with(file.string() + ":"); });
    return complain({warnings.error().code, has_place ? wrong : files + ": " + wrong});
  }
  for (const std::string& warning : *warnings) fmt::print(stderr, "berthd: warning: {}: {}\n", files, warning);
  const std::string but = warnings->empty() ? "" : fmt::format(", with {} warning{}", warnings->size(), warnings->size() == 1 ? "" : "s");
  fmt::print("{} {} right{}: node {}, environment {}\n", files, config->files.size() > 1 ? "are" : "is", but, config->node, config->environment);
  return options.check_upgrade ? check_state(*config) : Exit::ok;
}

Exit show_config(const Options& options) {
  const auto text = config::show(options.config, ship::sink_kinds());
  if (!text) return complain(text.error());
  fmt::print("{}", *text);
  return Exit::ok;
}

Exit run(const Options& options) {
  if (::geteuid() != 0)
    return complain({Errc::permission, "berthd has to be root: it gives each app a user of its own, its route and its cgroup. Start it with 'systemctl start "
                                       "berthd', or as root"});
  if (::getpid() == 1) be_first_process();  // each berthd that it starts reads the configuration
  auto config = config::load(options.config, ship::sink_kinds());
  if (!config) return complain(config.error());
  host::set_up_log(*config);
  host::forbid_core_files();
  auto berthd = Berthd::make(options.config, std::move(*config), programs_of(options));
  if (!berthd) return complain(berthd.error());
  return listed((*berthd)->run());
}

}  // namespace
}  // namespace berth

int main(int count, char** arguments) {
  ::mallopt(M_ARENA_MAX, berth::kMostArenas);
  ::umask(0022);
  berth::Exit exit = berth::Exit::ok;
  const auto options = berth::read_options(count, arguments, berth::host::find_config(berth::self(), BERTH_DEFAULT_CONFIG), exit);
  if (!options) return static_cast<int>(exit);
  if (options->show_config) return static_cast<int>(berth::show_config(*options));
  return static_cast<int>(options->check || options->check_upgrade ? berth::check(*options) : berth::run(*options));
}
