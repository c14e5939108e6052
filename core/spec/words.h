#pragma once

#include <array>
#include <span>
#include <string_view>

#include "core/spec/app_spec.h"

namespace berth::spec {

// The words of berth.toml for the enumerations, in the order of their values; the JSON of a manifest has the same.
inline constexpr std::array<std::string_view, 3> kRestarts{"always", "on-failure", "never"};
inline constexpr std::array<std::string_view, 4> kStrategies{"blue-green", "recreate", "rolling", "canary"};
inline constexpr std::array<std::string_view, 2> kRoots{"node", "image"};
inline constexpr std::array<std::string_view, 2> kTypes{"service", "job"};
inline constexpr std::array<std::string_view, 2> kJobTimes{"deployment", "hand"};
inline constexpr std::array<std::string_view, 2> kSchemes{"http", "https"};
inline constexpr std::array<std::string_view, 5> kProbeKinds{"http", "tcp", "exec", "grpc", "notify"};

// The hooks, in the order in which a deployment comes by them.
inline constexpr std::string_view kReadyToSwitch = "ready-to-switch";
inline constexpr std::array<std::string_view, 6> kHooks{"pre-start", "post-start", kReadyToSwitch, "pre-stop", "post-switch", "on-revert"};

/// "200-399", or "204" for one status alone.
Result<void> parse_statuses(std::string_view text, Probe& probe);
std::string statuses(const Probe& probe);

}  // namespace berth::spec
