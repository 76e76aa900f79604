"""SES (version 2) by its own names: its operations, and what they take."""

from collections.abc import Mapping

from msgsim.service.operation import Operation
from msgsim.service.parameters import ANY_TEXT, BYTES, FLAG, TEXT, WHOLE, ListOf, Shape, Structure
from msgsim.service.ses_accounts import get_account, put_account_sending_attributes
from msgsim.service.ses_refusals import SES
from msgsim.service.ses_sending import send_bulk_email, send_email
from msgsim.service.ses_sets import (
    create_configuration_set,
    create_event_destination,
    delete_configuration_set,
    delete_event_destination,
    get_event_destinations,
    list_configuration_sets,
    put_configuration_set_sending_options,
)
from msgsim.service.ses_suppression import (
    delete_suppressed_destination,
    get_suppressed_destination,
    list_suppressed_destinations,
    put_account_suppression_attributes,
    put_suppressed_destination,
)
from msgsim.service.ses_templates import (
    create_email_template,
    delete_email_template,
    get_email_template,
    list_email_templates,
    test_render_email_template,
    update_email_template,
)

TEXTS = ListOf(TEXT)
PAGES: Mapping[str, Shape] = {"NextToken": TEXT, "PageSize": WHOLE}
PAIRS = ListOf(Structure({"Name": TEXT, "Value": TEXT}))
"""Tags or headers."""

_DATA = Structure({"Data": ANY_TEXT}, {"Charset": TEXT})
"""A text; its charset is of no consequence where nothing is encoded."""

_EXTRAS: Mapping[str, Shape] = {
    "Attachments": ListOf(
        Structure(
            {"FileName": TEXT, "RawContent": BYTES},
            {
                "ContentDescription": TEXT,
                "ContentDisposition": TEXT,
                "ContentId": TEXT,
                "ContentTransferEncoding": TEXT,
                "ContentType": TEXT,
            },
        )
    ),
    "Headers": PAIRS,
}
_TEMPLATE_TEXTS = Structure({}, {"Html": TEXT, "Subject": TEXT, "Text": TEXT})
_TEMPLATE = Structure({}, {"TemplateContent": _TEMPLATE_TEXTS, "TemplateData": TEXT, "TemplateName": TEXT, **_EXTRAS})
_DESTINATION = Structure({}, {"ToAddresses": TEXTS, "CcAddresses": TEXTS, "BccAddresses": TEXTS})
_SENDING: Mapping[str, Shape] = {
    "ConfigurationSetName": TEXT,
    "FeedbackForwardingEmailAddress": TEXT,
    "ReplyToAddresses": TEXTS,
    "TenantName": TEXT,
}

_SET: Mapping[str, Shape] = {"ConfigurationSetName": TEXT}
_DESTINATION_OF: Mapping[str, Shape] = {**_SET, "EventDestinationName": TEXT}
_ADDRESS: Mapping[str, Shape] = {"EmailAddress": TEXT}

OPERATIONS: Mapping[str, Operation] = {
    "CreateConfigurationSet": Operation(
        SES,
        create_configuration_set,
        Structure(
            _SET,
            {
                "DeliveryOptions": Structure({}, {"MaxDeliverySeconds": WHOLE, "TlsPolicy": TEXT}),
                "ReputationOptions": Structure({}, {"ReputationMetricsEnabled": FLAG}),
                "SendingOptions": Structure({}, {"SendingEnabled": FLAG}),
                "SuppressionOptions": Structure({}, {"SuppressedReasons": TEXTS}),
            },
        ),
    ),
    "CreateConfigurationSetEventDestination": Operation(
        SES,
        create_event_destination,
        Structure(
            {
                **_DESTINATION_OF,
                "EventDestination": Structure(
                    {"MatchingEventTypes": TEXTS, "SnsDestination": Structure({"TopicArn": TEXT})}, {"Enabled": FLAG}
                ),
            }
        ),
    ),
    "CreateEmailTemplate": Operation(
        SES, create_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
    "DeleteConfigurationSet": Operation(SES, delete_configuration_set, Structure(_SET)),
    "DeleteConfigurationSetEventDestination": Operation(SES, delete_event_destination, Structure(_DESTINATION_OF)),
    "DeleteEmailTemplate": Operation(SES, delete_email_template, Structure({"TemplateName": TEXT})),
    "DeleteSuppressedDestination": Operation(SES, delete_suppressed_destination, Structure(_ADDRESS)),
    "GetAccount": Operation(SES, get_account, Structure({})),
    "GetConfigurationSetEventDestinations": Operation(SES, get_event_destinations, Structure(_SET)),
    "GetEmailTemplate": Operation(SES, get_email_template, Structure({"TemplateName": TEXT})),
    "GetSuppressedDestination": Operation(SES, get_suppressed_destination, Structure(_ADDRESS)),
    "ListConfigurationSets": Operation(SES, list_configuration_sets, Structure({}, PAGES)),
    "ListEmailTemplates": Operation(SES, list_email_templates, Structure({}, PAGES)),
    "ListSuppressedDestinations": Operation(
        SES, list_suppressed_destinations, Structure({}, {"Reasons": TEXTS, **PAGES})
    ),
    "PutAccountSendingAttributes": Operation(
        SES, put_account_sending_attributes, Structure({}, {"SendingEnabled": FLAG})
    ),
    "PutAccountSuppressionAttributes": Operation(
        SES, put_account_suppression_attributes, Structure({}, {"SuppressedReasons": TEXTS})
    ),
    "PutConfigurationSetSendingOptions": Operation(
        SES, put_configuration_set_sending_options, Structure(_SET, {"SendingEnabled": FLAG})
    ),
    "PutSuppressedDestination": Operation(SES, put_suppressed_destination, Structure({**_ADDRESS, "Reason": TEXT})),
    "SendBulkEmail": Operation(
        SES,
        send_bulk_email,
        Structure(
            {
                "FromEmailAddress": TEXT,
                "DefaultContent": Structure({"Template": _TEMPLATE}),
                "BulkEmailEntries": ListOf(
                    Structure(
                        {"Destination": _DESTINATION},
                        {
                            "ReplacementEmailContent": Structure(
                                {}, {"ReplacementTemplate": Structure({}, {"ReplacementTemplateData": TEXT})}
                            ),
                            "ReplacementHeaders": PAIRS,
                            "ReplacementTags": PAIRS,
                        },
                    )
                ),
            },
            {"DefaultEmailTags": PAIRS, **_SENDING},
        ),
    ),
    "SendEmail": Operation(
        SES,
        send_email,
        Structure(
            {
                "Content": Structure(
                    {},
                    {
                        "Raw": Structure({"Data": BYTES}),
                        "Simple": Structure(
                            {"Subject": _DATA, "Body": Structure({}, {"Text": _DATA, "Html": _DATA})}, _EXTRAS
                        ),
                        "Template": _TEMPLATE,
                    },
                )
            },
            {
                "Destination": _DESTINATION,
                "EmailTags": PAIRS,
                "FromEmailAddress": TEXT,
                "ListManagementOptions": Structure({"ContactListName": TEXT}, {"TopicName": TEXT}),
                **_SENDING,
            },
        ),
    ),
    "TestRenderEmailTemplate": Operation(
        SES, test_render_email_template, Structure({"TemplateName": TEXT, "TemplateData": TEXT})
    ),
    "UpdateEmailTemplate": Operation(
        SES, update_email_template, Structure({"TemplateName": TEXT, "TemplateContent": _TEMPLATE_TEXTS})
    ),
}
"""The operations by name."""
