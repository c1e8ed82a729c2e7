import { mountWeb } from "../Mount.ts"
import { protocolSuite } from "./protocolSuite.ts"

protocolSuite("a Web handler", mountWeb)
