// Numbers of the scheduler (docs/scheduling.md).
#pragma once

#include <cstdint>

#include "hq/base/clock.h"

namespace hq {

// Work that a worker holds beyond what runs, in seconds: some round trips and turns of a busy server.
inline constexpr double kBacklogSeconds = 0.04;
inline constexpr uint64_t kMaxBacklog = 1024;
// Tasks that ask for no resource at all: how many run on one worker.
inline constexpr uint64_t kMaxWithoutResources = 64;
// A backlog is taken back when its worker has not started or ended anything for this long.
inline constexpr Duration kRetractAfter = 20ms;
// A class that others pass for this long gets a reservation.
inline constexpr Duration kPatience = 10s;
// Combinations of variants that are compared on one worker at most; beyond that, the densest goes first.
inline constexpr uint64_t kMaxCombinations = 20'000;
// The same for one class on all workers together; workers that are alike count as one.
inline constexpr uint64_t kMaxCombinationsOfAll = 200'000;
// Up to so many classes times workers, what fits is counted worker by worker to find out what is urgent.
inline constexpr size_t kExactPlaces = 20'000;
// New reservations in one pass and priority; finding a worker for one takes a look at all of them.
inline constexpr size_t kMaxNewReservations = 4;
inline constexpr Duration kNextReservations = 50ms;

// A look ahead is taken for so much at most.
inline constexpr size_t kAheadWorkers = 16;
inline constexpr size_t kAheadClasses = 12;
inline constexpr size_t kAheadVariants = 4;
inline constexpr uint64_t kAheadTasks = 64;
inline constexpr uint64_t kAheadRunning = 512;  // on one worker, with those that have ended since
// For tasks that last so long, in seconds: shorter ones run from backlogs.
inline constexpr double kAheadLeast = 0.2;
inline constexpr double kAheadMost = 1e6;
// A task that runs longer than known goes on for so much of what is known.
inline constexpr double kAheadOverdue = 0.05;
// Beyond that and this, nothing is left idle until some task ends; the word of an end takes a moment, too.
inline constexpr Duration kAheadLate = 20ms;
// For so long something is left idle at most, though a task fits there.
inline constexpr Duration kAheadMostIdle = 60s;
// Tries to find a place for a task: in one look, and per second.
inline constexpr uint64_t kAheadWork = 200'000;
inline constexpr double kAheadWorkPerSecond = 5e6;
// Ten of them, in units of Scheduler::kStepWork.
inline constexpr uint64_t kAheadStepWork = 10;

}  // namespace hq
