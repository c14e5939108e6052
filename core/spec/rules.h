#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/spec/app_spec.h"

namespace berth::spec {

/// A rule that a spec breaks.
struct Complaint {
  std::vector<std::string> path;  ///< the key it is about, from the top: process, web, command
  std::string what;               ///< follows the key's name: "is empty"
};

/// "'command' in [process.web] is empty".
std::string to_string(const Complaint& complaint);

/// Collects complaints about the keys below one path.
class Complaints {
 public:
  Complaints(std::vector<Complaint>& all, std::vector<std::string> path) : all_(all), path_(std::move(path)) {}

  void add(std::string key, std::string what) const;
  Complaints below(std::string key) const;

 private:
  std::vector<Complaint>& all_;  // a reference: the collection outlives its collectors
  std::vector<std::string> path_;
};

/// Every rule that what the types can hold may still break; the same for TOML and for JSON. Empty: the spec is good.
std::vector<Complaint> broken_rules(const AppSpec& spec);

/// The rules of the probes of one process.
void check_probes(const Process& process, const Complaints& complaints);

/// The rules of a process's ports and their names.
void check_named_ports(const AppSpec& spec, const Process& process, const Complaints& complaints);

/// Who starts after whom: unknown names, and circles.
void check_after(const AppSpec& spec, const Complaints& top);

/// The rules of what runs to its end.
inline constexpr int kMostRetries = 1000;
void check_job(const Process& process, const Complaints& complaints);

/// The rules of what an instance may use.
void check_limits(const Limits& limits, const Complaints& complaints);

/// A list of arguments: its size, and that it names a program. `key` is what the complaint is about.
bool check_command(const std::vector<std::string>& command, const Complaints& complaints, const std::string& key);

/// The rules of the hooks, and of what is done with the data.
void check_hooks(const AppSpec& spec, const Complaints& complaints);
void check_data(const AppSpec& spec, const Complaints& complaints);

/// The rules of how releases take over.
void check_deploy(const AppSpec& spec, const Complaints& complaints);

/// Whether it can be asked of a server: a path with its query, printable, of bounded length. `key` is what the complaint is about.
void check_http_path(const std::string& path, const Complaints& complaints, const std::string& key);

/// What an argument refers to must be `known` when its command is started: better said now than then.
void check_references(std::string_view text, const AppSpec& spec, const std::vector<std::string>& known, const Complaints& complaints);

/// Whether users and groups can have that name: `[a-z_][a-z0-9_-]{0,31}`, what useradd takes.
bool is_user_name(std::string_view text);

/// No control characters: in canonical JSON they have no form that a strict parser reads.
bool is_plain(std::string_view text);

}  // namespace berth::spec
