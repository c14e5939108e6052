#include "cli/man.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/help.h"
#include "core/roff.h"

namespace berth::cli {
namespace {

std::string options_text(const std::vector<Option>& options) {
  std::string text;
  for (const Option& option : options) {
    std::string names;
    for (const std::string& name : names_of(option)) names += (names.empty() ? "" : ", ") + name;
    if (!option.value.empty()) names += " " + option.value;
    text += roff::term(names, option.help);
  }
  return text;
}

void add_verb(std::string& text, const Verb& verb, std::vector<std::string> path) {
  if (verb.hidden) return;
  path.push_back(verb.name);
  if (verb.verbs.empty()) {
    text += fmt::format(".SS \"{}\"\n{}.\n", roff::text(usage_line(verb, path)), roff::text(verb.summary));
    if (!verb.text.empty()) text += ".PP\n" + roff::text(verb.text) + "\n";
    for (const Argument& argument : verb.arguments) text += roff::term(argument.name, argument.help);
    text += options_text(verb.options);
    if (!verb.examples.empty()) {
      text += ".PP\n.nf\n.RS\n";
      for (const std::string& example : verb.examples) text += roff::text(example) + "\n";
      text += ".RE\n.fi\n";
    }
    std::string codes;
    for (const Exit exit : exits_of(verb)) codes += (codes.empty() ? "" : ", ") + std::to_string(static_cast<int>(exit));
    text += ".PP\nExit codes: " + codes + ".\n";
    for (const ExitText& own : verb.exit_texts) text += roff::term(own.code, own.text);
  }
  for (const Verb& below : verb.verbs) add_verb(text, below, path);
}

}  // namespace

std::string man_page(const Verb& root, const std::string& version) {
  std::string text = fmt::format(".TH BERTH 1 \"\" \"berth {}\" \"User Commands\"\n.SH NAME\nberth \\- {}\n", version, roff::text(root.summary));
  text += ".SH SYNOPSIS\n.B berth\n\\fIVERB\\fR [\\fIarguments\\fR] [\\fIoptions\\fR]\n.SH DESCRIPTION\n" + roff::text(root.text) + "\n";
  text += ".SH OPTIONS\nEvery verb takes these; \\-\\-socket and \\-\\-node are for those that ask a berthd.\n" + options_text(root.options);
  text += ".SH VERBS\n";
  for (const Verb& verb : root.verbs) add_verb(text, verb, {root.name});
  text += ".SH EXIT STATUS\n";
  for (int code = 0; code <= static_cast<int>(Exit::still_running); ++code) text += roff::term(std::to_string(code), meaning(static_cast<Exit>(code)));
  text += roff::term("130", "interrupted; a deployment goes on");
  text += roff::term("141", "whoever read the output went away, as head does (SIGPIPE); run ends with 0 then, since that stops the app");
  text += ".SH ENVIRONMENT\n" + roff::term("BERTH_SOCKET", "berthd's socket, where --socket does not say") +
          roff::term("BERTH_NODE", "nodes, by spaces, where neither --node nor --socket says; verbs that need files of the node are refused then, and those that ask no berthd pay no heed to it") +
          roff::term("BERTH_CA_FILE, BERTH_CERTIFICATE_FILE, BERTH_KEY_FILE", "what a node's certificate is verified by, and what is shown to it, in the place of nodes.toml") +
          roff::term("BERTH_LOGS", "where the logs of apps are, where --logs does not say") + roff::term("NO_COLOR", "if set, no colours") +
          roff::term("LC_ALL, LC_CTYPE, LANG", "whether the terminal has UTF-8; one that has not gets ASCII. Pipes and files get UTF-8 in any locale") +
          roff::term("TERM", "of a terminal that is \"dumb\" no line is drawn over, and none has colours");
  text += ".SH FILES\n" + roff::term("/run/berth/api.sock", "berthd's socket") + roff::term("/var/log/berth", "the logs of apps") +
          roff::term("~/.config/berth/nodes.toml", "nodes elsewhere: ca_file, certificate_file and key_file for all of them, a table for each with its address and files of its own, and [group] with lists of them by name") +
          roff::term("/etc/berth/berthd.toml", "berthd's configuration");
  return text + ".SH SEE ALSO\n.BR berth.toml (5),\n.BR berthd (8),\n.BR berthd.toml (5),\n.BR systemctl (1),\n.BR journalctl (1)\n";
}

}  // namespace berth::cli
