// The tables inside worker messages: started and ended tasks, inventories, runs, spans. A reader refuses more
// than limits::kMaxRows rows; a writer does not look, since what a peer has told may come back to it
// (unwanted tasks).
#pragma once

#include <vector>

#include "hq/protocol/worker_messages.h"
#include "protocol/wire_reader.h"
#include "protocol/wire_writer.h"

namespace hq {

void put_table(WireWriter& w, const std::vector<msg::StartedTask>& rows);
void put_table(WireWriter& w, const std::vector<msg::EndedTask>& rows);
void put_table(WireWriter& w, const std::vector<msg::HeldTask>& rows);
void put_table(WireWriter& w, const std::vector<msg::TaskSpan>& rows);
void put_table(WireWriter& w, const std::vector<msg::Run>& rows);
void put_table(WireWriter& w, const std::vector<IdRange>& rows);

void read_table(WireReader& r, std::vector<msg::StartedTask>& rows);
void read_table(WireReader& r, std::vector<msg::EndedTask>& rows);
void read_table(WireReader& r, std::vector<msg::HeldTask>& rows);
void read_table(WireReader& r, std::vector<msg::TaskSpan>& rows);
void read_table(WireReader& r, std::vector<msg::Run>& rows);
void read_table(WireReader& r, std::vector<IdRange>& rows);

}  // namespace hq
