/** The pages of Microsoft's documentation that causes refer to. learn.microsoft.com shows them in the reader's language. */
import type { Page } from './cause.js'

const learn = (title: string, path: string): Page => ({ title, address: `https://learn.microsoft.com/azure/${path}` })

export const pages = {
  addresses: learn('Understand the IP address of your IoT hub', 'iot-hub/iot-hub-understand-ip-address'),
  connectionState: learn('Monitor device connection status', 'iot-hub/monitor-device-connection-state'),
  connectivity: learn(
    'Monitor, diagnose, and troubleshoot Azure IoT Hub device connectivity',
    'iot-hub/iot-hub-troubleshoot-connectivity',
  ),
  edge: learn('Troubleshoot IoT Edge devices', 'iot-edge/troubleshoot'),
  errorCodes: learn('Troubleshoot Azure IoT Hub error codes', 'iot-hub/troubleshoot-error-codes'),
  failover: learn('IoT Hub high availability and disaster recovery', 'iot-hub/iot-hub-ha-dr'),
  identityRegistry: learn(
    'Understand the identity registry in your IoT hub',
    'iot-hub/iot-hub-devguide-identity-registry',
  ),
  ipFilters: learn('Use IP filters', 'iot-hub/iot-hub-ip-filtering'),
  monitoring: learn('IoT Hub monitoring data reference', 'iot-hub/monitor-iot-hub-reference'),
  mqtt: learn('Communicate with an IoT hub using the MQTT protocol', 'iot/iot-mqtt-connect-to-iot-hub'),
  protocols: learn('Choose a device communication protocol', 'iot-hub/iot-hub-devguide-protocols'),
  provisioning: learn(
    'Diagnose and troubleshoot disconnects with Azure IoT Hub DPS',
    'iot-dps/how-to-troubleshoot-dps',
  ),
  publicAccess: learn('Manage public network access for your IoT hub', 'iot-hub/iot-hub-public-network-access'),
  quotas: learn('IoT Hub quotas and throttling', 'iot-hub/iot-hub-devguide-quotas-throttling'),
  reconnections: learn(
    'Manage device reconnections to create resilient applications',
    'iot/concepts-manage-device-reconnections',
  ),
  reprovisioning: learn('IoT Hub Device reprovisioning concepts', 'iot-dps/concepts-device-reprovision'),
  roots: learn('Migrate IoT Hub resources to a new TLS certificate root', 'iot-hub/migrate-tls-certificate'),
  tls: learn('Transport Layer Security (TLS) support in IoT Hub', 'iot-hub/iot-hub-tls-support'),
  virtualNetworks: learn('IoT Hub support for virtual networks', 'iot-hub/virtual-network-support'),
} as const
