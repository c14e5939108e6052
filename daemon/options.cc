#include "daemon/options.h"

#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "core/build_info/build_info.h"
#include "core/roff.h"
#include "core/spec/app_spec.h"

namespace berth {
namespace {

std::string man_page(const CLI::App& app, const fs::path& config) {
  std::string text = ".TH BERTHD 8 \"\" \"berth " BERTH_VERSION "\" \"System Administration\"\n.SH NAME\nberthd \\- the runtime supervisor of this node\n";
  text += ".SH SYNOPSIS\n.B berthd\n[\\fIoptions\\fR]\n.SH DESCRIPTION\n" + roff::text(app.get_description()) + "\n.SH OPTIONS\n";
  for (const CLI::Option* option : app.get_options()) {
    std::string names = option->get_name(false, true);  // "-h,--help"
    if (const auto comma = names.find(','); comma != std::string::npos) names.insert(comma + 1, " ");
    if (const std::string type = option->get_type_name(); !type.empty()) names += " " + type;
    const std::string by_default = option->get_default_str();
    text += roff::term(names, option->get_description() + (by_default.empty() ? "." : fmt::format("; {} where it is not given.", by_default)));
  }
  text += ".SH SIGNALS\n" + roff::term("SIGHUP", "Read the configuration again, and say what of it needs a restart.") +
          roff::term("SIGTERM, SIGINT", "End. Apps go on under their keepers, and the next berthd takes them over; where berthd is the first process of a container they are stopped.");
  text += ".SH EXIT STATUS\n" + roff::text(app.get_footer()) + "\n";
  text += ".SH FILES\n" + roff::term(config.string(), "The configuration; every key is explained in it, and in berthd.toml(5).") +
          roff::term((config.parent_path() / "conf.d/*.toml").string(), "Files that add to it, in the order of their names.") +
          roff::term("/var/lib/berth", "Releases, the data of apps, the database, trusted metadata.") + roff::term("/var/log/berth", "What apps print.") +
          roff::term("/run/berth/api.sock", "The socket that berth drives it by.");
  return text + ".SH SEE ALSO\n.BR berth (1),\n.BR berthd.toml (5),\n.BR systemctl (1)\n";
}

/// What is wrong with the call, in berth's words.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> strange = app.remaining();
  if (strange.empty()) return error.what();
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  const auto meant = spec::nearest(strange.front(), known);
  return fmt::format("'{}' is none of its options{}", strange.front(), meant ? fmt::format(" (did you mean '{}'?)", *meant) : "");
}

}  // namespace

std::optional<Options> read_options(int count, char** arguments, const fs::path& default_config, Exit& exit) {
  Options options;
  std::string config = default_config, keeper, unpack;
  bool man = false;
  CLI::App app("berthd runs the apps of this node: it takes signed releases from a repository and switches between them, or reverts.\n"
               "It is started by systemd and driven by berth.",
               "berthd");
  app.set_version_flag("--version", version_text("berthd"));
  app.add_option("--config", config, "The configuration")->type_name("FILE")->capture_default_str();
  app.add_option("--keeper", keeper, "The program berth-keeper")->type_name("PATH");
  app.add_option("--unpack", unpack, "The program berth-unpack")->type_name("PATH");
  app.add_flag("--check", options.check, "Read the configuration, say what is wrong with it, and end");
  app.add_flag("--show-config", options.show_config, "Print what the configuration comes to, each value with its file and line or as a default, and end");
  app.add_flag("--check-upgrade", options.check_upgrade,
               "As --check, and try on a copy whether this berthd can take over the state of another version, which may go on meanwhile");
  app.add_flag("--man", man, "Print the man page, and end");
  app.footer("Ends with 0 when it was told to, leaving what runs running; 2 for a wrong call or configuration, 7 when it is not root or may not do\n"
             "something, 8 when another berthd works with the same state, 1 for anything else. --check ends with 0 where nothing is wrong, with or\n"
             "without warnings on stderr, else with 2.");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const bool wrong = error.get_exit_code() != 0;
    if (wrong) fmt::print(stderr, "berthd: {}; 'berthd --help' lists the options\n", complaint(app, error));
    else app.exit(error, std::cout, std::cerr);
    exit = wrong ? Exit::usage : Exit::ok;
    return {};
  }
  if (man) {
    fmt::print("{}", man_page(app, default_config));
    exit = Exit::ok;
    return {};
  }
  options.config = config;
  if (!keeper.empty()) options.keeper = keeper;
  if (!unpack.empty()) options.unpack = unpack;
  return options;
}

}  // namespace berth
